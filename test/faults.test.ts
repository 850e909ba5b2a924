/** What a database that is away, and no more than that, does to sockets and to the stop. */
import { describe, expect, test } from "vitest";
import type { Overrides } from "../src/keenchat.ts";
import { TestClock } from "./support/clock.ts";
import { createPostgres } from "./support/database.ts";
import { post, request, signUp } from "./support/http.ts";
import { startServer } from "./support/server.ts";
import { TcpProxy } from "./support/tcp-proxy.ts";
import { until, within } from "./support/wait.ts";
import { PlainClient } from "./support/wires.ts";

/** A server that reaches its database over a wire which a test can cut. */
async function startBehindWire(overrides: Overrides = {}) {
  const database = await createPostgres();
  const url = new URL(database.url);
  const wire = await TcpProxy.start(Number(url.port || 5432));
  url.port = String(wire.port);
  const server = await startServer({ DATABASE_URL: url.href }, overrides);
  return {
    server,
    wire,
    async [Symbol.asyncDispose]() {
      await server.close();
      await wire.close();
      await database.drop();
    },
  };
}

describe("with PostgreSQL away", () => {
  test("a tRPC subscription that would resume is sent away, never left in silence, and comes back to everything", async () => {
    await using installation = await startBehindWire();
    const { server, wire } = installation;
    const { token } = await signUp(server, "ann");
    const { body } = await request(server, "GET", "/event");
    await post(server, token, 1, "missed");
    const client = new PlainClient(`${server.wsUrl}/trpc`);
    await within(10_000, "opening", client.opened);
    wire.set("cut");
    const subscription = { id: 1, method: "subscription", params: { path: "events", lastEventId: body.cursor } };
    client.ws.send(JSON.stringify(subscription));
    expect(await within(10_000, "the close", client.closed)).toMatchObject({ code: 1001 });
    wire.set("pass");
    await within(
      10_000,
      "the database",
      (async () => {
        while ((await request(server, "GET", "/event")).status !== 200);
      })(),
    );
    const again = new PlainClient(`${server.wsUrl}/trpc`);
    await within(10_000, "opening", again.opened);
    again.ws.send(JSON.stringify(subscription));
    await again.inbox.take("the message", (frame) => JSON.stringify(frame).includes('"missed"'), 15_000);
    again.cut();
  });

  test("retention and the sweep leave it to their next round, and call it no error", async () => {
    const clock = new TestClock();
    await using installation = await startBehindWire({ clock });
    const { server, wire } = installation;
    wire.set("cut");
    clock.advance(60_000);
    const lines = (words: string) => server.logged.filter((line) => line.includes(words));
    await until("both rounds", 10_000, () => lines("a round was missed").length === 2);
    expect(lines("unexpected error")).toEqual([]);
  });

  test("a token that cannot be looked up is not called bad: its socket is told to come back", async () => {
    await using installation = await startBehindWire();
    const { server, wire } = installation;
    const { token } = await signUp(server, "ann");
    wire.set("cut");
    const client = new PlainClient(`${server.wsUrl}/trpc?auth=${token}`);
    expect(await within(10_000, "the close", client.closed)).toMatchObject({ code: 1001 });
  });

  test("a database that has fallen silent does not hold up the stop", async () => {
    await using installation = await startBehindWire();
    const { server, wire } = installation;
    await signUp(server, "ann");
    wire.set("freeze");
    await within(8_000, "the stop", server.close());
  });
});
