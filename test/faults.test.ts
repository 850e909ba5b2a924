/** What a database that is away, refuses or is slow, and no more than that, does to requests, to sockets and to the stop. */
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { join } from "node:path";
import pg from "pg";
import { describe, expect, test } from "vitest";
import { openPostgres } from "../src/db/postgres/postgres.ts";
import { PostgresLink } from "../src/db/postgres/postgres-link.ts";
import type { Overrides } from "../src/keenchat.ts";
import { TestClock } from "./support/clock.ts";
import { createPostgres, runAsOwner } from "./support/database.ts";
import { post, request, signUp } from "./support/http.ts";
import { measured } from "./support/measured.ts";
import { PostgresServer } from "./support/postgres-server.ts";
import { startProcess, temporaryDirectory } from "./support/process.ts";
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

/** Sent now; gives the answer and how long it took. */
async function timed(work: ReturnType<typeof request>) {
  const started = performance.now();
  const { status, headers, body } = await work;
  return { status, headers, body, ms: performance.now() - started };
}

describe("with a full disk", () => {
  test("writes and /ready are 503 and reads go on; with room again it is ready within five seconds, without a write", {
    timeout: 60_000,
  }, async () => {
    using directory = temporaryDirectory();
    await using server = startProcess({ DATABASE_URL: `sqlite:${join(directory.path, "chat.db")}` });
    const place = await server.ready();
    const { token } = await signUp(place, "ann");
    expect((await request(place, "GET", "/ready")).status).toBe(200);
    const limit = (bytes: string) => execFileSync("prlimit", ["--pid", String(server.child.pid), `--fsize=${bytes}`]);
    limit("8192:unlimited");
    const full = await post(place, token, 1, "x".repeat(9_000));
    expect(full.status).toBe(503);
    expect((await request(place, "GET", "/ready")).status).toBe(503);
    expect((await request(place, "GET", "/live")).status).toBe(200);
    expect((await request(place, "GET", "/message")).body).toEqual([]);
    limit("unlimited:unlimited");
    const back = await until("being ready", 30_000, async () => (await request(place, "GET", "/ready")).status === 200);
    measured("G14", "ready after there is room", 5_000, back);
    expect((await post(place, token, 1, "x".repeat(9_000))).status).toBe(201);
  });
});

describe("with a PostgreSQL that takes no connections", () => {
  const asSuperuser = (server: PostgresServer, sql: string) => runAsOwner(sql, server.url.replace(/postgres$/, "template1"));

  test.each([
    ["the role may not sign in", "28000", "alter role keenchat nologin", "alter role keenchat login"],
    ["there is no such role", "28000", "alter role keenchat rename to other", "alter role other rename to keenchat"],
    ["the database takes none", "55000", "alter database chat allow_connections false", "alter database chat allow_connections true"],
    ["the database has another name", "3D000", "alter database chat rename to other", "alter database other rename to chat"],
  ])("because %s (%s), everybody hears that it is away, and it comes back by itself", { timeout: 60_000 }, async (_, code, close, open) => {
    await using postgres = await PostgresServer.start();
    await asSuperuser(postgres, "create role keenchat login");
    await asSuperuser(postgres, "create database chat owner keenchat");
    const url = `postgres://keenchat@127.0.0.1:${postgres.port}/chat`;
    await using server = await startServer({ DATABASE_URL: url });
    const { token } = await signUp(server, "ann");
    const socket = new PlainClient(server.wsUrl);
    await within(10_000, "opening", socket.opened);

    const cut = "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'keenchat'";
    // No connection may be left where a database gets another name.
    await until("the change", 10_000, async () => {
      await asSuperuser(postgres, cut);
      return asSuperuser(postgres, close).then(
        () => true,
        () => false,
      );
    });
    await asSuperuser(postgres, cut);
    const ask = () => [
      request(server, "GET", "/channel", { token }),
      request(server, "GET", "/message"),
      request(server, "POST", "/user", { body: { username: "bob", password: "correct horse" } }),
      post(server, token, 1, "never"),
      request(server, "GET", "/ready"),
    ];
    for (const round of [ask(), ask()])
      for (const { status, headers, body, ms } of await Promise.all(round.map(timed))) {
        expect({ status, error: body.error }).toEqual({ status: 503, error: `The database does not answer (${code}).` });
        expect(headers.get("retry-after")).toBe("1");
        measured("G11", "503 while PostgreSQL takes no connections", 2_000, ms);
      }

    await asSuperuser(postgres, open);
    const back = await until("taking posts again", 30_000, async () => (await post(server, token, 1, "back")).status === 201);
    measured("G11", "normal after PostgreSQL takes connections again", 5_000, back);
    await until("being ready", 5_000, async () => (await request(server, "GET", "/ready")).status === 200);
    await socket.inbox.take("the post", ({ data }) => data?.message_text === "back");
    expect(socket.inbox.items.some(({ data }) => data?.message_text === "never")).toBe(false);
    socket.cut();
  });

  test("because the database takes none (55000), a start is told to wait", async () => {
    const database = await createPostgres();
    const allow = (whether: boolean) =>
      runAsOwner(`alter database ${new URL(database.url).pathname.slice(1)} allow_connections ${whether}`);
    await allow(false);
    await expect(openPostgres(database.url)).rejects.toMatchObject({ code: "SERVICE_UNAVAILABLE" });
    await allow(true);
    await (await openPostgres(database.url)).close();
    await database.drop();
  });

  test("a link that is closed while it tries again keeps no connection", async () => {
    const accepted: Socket[] = [];
    const postgres = createServer((socket) => {
      socket.on("error", () => {});
      // The first is turned away, and so there is another attempt.
      if (accepted.push(socket) === 1) socket.destroy();
    });
    postgres.listen(0, "127.0.0.1");
    await once(postgres, "listening");
    const link = new PostgresLink(`postgres://postgres@127.0.0.1:${(postgres.address() as { port: number }).port}/postgres`, "read");
    await expect(link.connect()).rejects.toThrow();
    await until("another attempt", 5_000, () => accepted.length === 2);
    const [, again] = accepted as [Socket, Socket];
    await once(again, "data");
    const closed = link.close();
    const ended = once(again, "close");
    // Whoever it is, is welcome, and may ask.
    again.write(Buffer.from("520000000800000000" + "5a0000000549", "hex"));
    await within(5_000, "the close", closed);
    await within(5_000, "the connection's end", ended);
    postgres.close();
  });
});

describe("with a PostgreSQL that answers slowly", () => {
  const quick = ["/ready", "/channel", "/message", "/event"];

  /** Keeps everybody from a table until it is ended. */
  async function lock(url: string, table: string): Promise<pg.Client> {
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    await client.query(`begin; lock table "${table}" in access exclusive mode`);
    return client;
  }

  test.each([
    ["for the first time", 0],
    ["as others before", 30],
  ])("whoever asks for what is slow, %s, is refused in time, and everybody else gets through", async (_, before) => {
    const database = await createPostgres();
    await using server = await startServer({ DATABASE_URL: database.url });
    const users = (length: number) => Promise.all(Array.from({ length }, () => timed(request(server, "GET", "/user"))));
    await users(before);
    const holder = await lock(database.url, "user");
    let waiting = true;
    const began = performance.now();
    const slow = users(12).finally(() => {
      waiting = false;
    });
    let rounds = 0;
    for (; waiting; rounds += 1) {
      // More than there are of the slow ones, as soon as it can be seen who they are.
      const paths = performance.now() - began > 300 ? Array.from({ length: 6 }, () => quick).flat() : quick;
      const others = paths.map((path) => timed(request(server, "GET", path)));
      for (const { status, ms } of await Promise.all(others)) {
        expect(status).toBe(200);
        expect(ms).toBeLessThan(600);
      }
    }
    expect(rounds).toBeGreaterThan(10);
    for (const { status, headers, ms } of await slow) {
      expect(status).toBe(503);
      expect(headers.get("retry-after")).toBe("1");
      measured("G11", "503 for a read that waits behind slow ones", 2_000, ms);
    }
    expect((await request(server, "GET", "/ready")).status).toBe(200);
    const held = `select count(*) as n from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;
    await until("the end of what nobody waits for", 1_500, async () => (await database.count(held)) === 0);
    await holder.end();
    const back = await until("the users", 10_000, async () => (await request(server, "GET", "/user")).status === 200);
    measured("G11", "normal after reads were slow", 5_000, back);
    await server.close();
    await database.drop();
  });
});
