/** Whom a plain or Socket.IO socket reads for that brings a token to its opening, and where it begins. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { post, request, signUp } from "../support/http.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { type Client, connect, transports } from "../support/socket-io.ts";
import { openPlain, type Received } from "../support/wires.ts";

let server: TestServer;
let ann: { id: number; token: string };
let bob: { id: number; token: string };
beforeAll(async () => {
  server = await startServer();
  ann = await signUp(server, "ann");
  bob = await signUp(server, "bob");
});
afterAll(() => server.close());

const texts = (items: readonly { event: string; data: Received["data"] }[]) => items.map(({ event, data }) => data?.message_text ?? event);

/** A cursor, and the texts of what was posted behind it. */
async function missed(): Promise<{ cursor: string; posted: string[] }> {
  const { body } = await request(server, "GET", "/event");
  const posted = ["missed", "missed too"];
  for (const text of posted) await post(server, bob.token, 1, text);
  return { cursor: body.cursor, posted };
}

describe("with a token and a cursor at its opening", () => {
  test("a plain socket is told who it is before the replay, which it gets once; with a bad token it gets it as nobody", async () => {
    const { cursor, posted } = await missed();
    for (const [token, answer] of [
      [ann.token, "identified"],
      ["nonsense", "identity failure"],
    ] as const) {
      const client = await openPlain(server, { token, cursor });
      await client.inbox.take("ready", ({ event }) => event === "ready");
      expect(texts(client.inbox.items)).toEqual([answer, ...posted, "ready"]);
      await client.close();
    }
  });

  test.each(transports)("a Socket.IO client over %s too, by the URL and by its own auth", async (transport) => {
    const { cursor, posted } = await missed();
    const heard = async (query: Record<string, string>, auth?: object) => {
      await using client = await connect(server, "4.8", transport, { cursor, ...query }, auth && { auth });
      await client.next("ready");
      return texts(client.received);
    };
    expect(await heard({ auth: ann.token })).toEqual(["identified", ...posted, "ready"]);
    expect(await heard({}, { token: ann.token })).toEqual(["identified", ...posted, "ready"]);
    expect(await heard({}, { token: "nonsense" })).toEqual(["identity failure", ...posted, "ready"]);
    expect(await heard({})).toEqual([...posted, "ready"]);
  });
});

test("where nobody may read without a token, a cursor that came with a bad one is kept for the first who identifies", async () => {
  await using closed = await startServer({ ANONYMOUS_READ: "false" });
  const carl = await signUp(closed, "carl");
  const { body } = await request(closed, "GET", "/event", { token: carl.token });
  await post(closed, carl.token, 1, "missed");
  const client = await openPlain(closed, { token: "nonsense", cursor: body.cursor });
  const late = await openPlain(closed, { token: "nonsense" });
  for (const { inbox } of [client, late]) await inbox.take("the refusal", ({ event }) => event === "identity failure");
  await post(closed, carl.token, 1, "missed too");
  for (const socket of [client, late]) socket.send("identify", carl.token);
  await client.inbox.take("ready", ({ event }) => event === "ready");
  expect(texts(client.inbox.items)).toEqual(["identity failure", "identified", "missed", "missed too", "ready"]);
  await late.settled();
  expect(texts(late.inbox.items)).toEqual(["identity failure", "identified", "ready"]);
});

test("a socket misses nothing that is posted while its token is looked at", async () => {
  for (let round = 0; round < 10; round += 1) {
    const { body } = await request(server, "POST", "/auth", { body: { username: "ann", password: "correct horse" } });
    const client = await openPlain(server, { token: body.token_value });
    await post(server, bob.token, 1, `round ${round}`);
    await client.inbox.take("the message", ({ data }) => data?.message_text === `round ${round}`);
    await client.close();
  }
});

describe("a Socket.IO client's own auth", () => {
  const open = (auth: unknown, query: Record<string, string> = {}) => connect(server, "4.8", "websocket", query, { auth });
  async function isIn(client: Client, who: { id: number }): Promise<void> {
    await client.next("identified");
    expect(await client.ask("change channel", { id: 2 })).toEqual({ ok: true });
    expect((await request(server, "GET", "/channel/2/users")).body.users).toContain(who.id);
  }

  test.each([
    ["{ token }", () => ({ token: ann.token })],
    ["{ auth }", () => ({ auth: ann.token })],
    ["both, the same", () => ({ auth: ann.token, token: ann.token, more: 1 })],
    ["a function", () => (give: (auth: object) => void) => give({ token: ann.token })],
  ])("identifies it: %s", async (_name, auth) => {
    await using client = await open(auth());
    await isIn(client, ann);
  });

  test("may stand in the URL as well, the same", async () => {
    await using client = await open({ token: ann.token }, { auth: ann.token });
    await isIn(client, ann);
  });

  test.each<[string, unknown]>([
    ["a number", { token: 5 }],
    ["null", { token: null }],
    ["an object", { auth: { token: "x" } }],
    ["an empty text", { token: "" }],
    ["a text in the place of the object", "nonsense"],
    ["a list in its place", ["nonsense"]],
  ])("that is %s is an identity failure, and the client stays as nobody", async (_name, auth) => {
    await using client = await open(auth);
    await client.next("identity failure");
    expect(await client.ask("change channel", { id: 1 })).toMatchObject({ code: "UNAUTHORIZED" });
    expect(await client.ask("identify", ann.token)).toEqual({ ok: true });
  });

  test("without a token, or with names of every object's, says nothing", async () => {
    for (const auth of [{}, { other: ann.token }, { toString: 1, constructor: "x" }]) {
      await using client = await open(auth);
      expect(await client.ask("connection")).toEqual({ ok: true });
      expect(client.received.map(({ event }) => event)).toEqual(["ready"]);
    }
  });

  test("that contradicts itself, the URL or the header is refused", async () => {
    const refusal = { message: expect.stringMatching(/differ/), data: { error: expect.stringMatching(/differ/), code: "BAD_REQUEST" } };
    await expect(open({ token: ann.token, auth: bob.token })).rejects.toMatchObject(refusal);
    await expect(open({ token: ann.token }, { auth: bob.token })).rejects.toMatchObject(refusal);
    await expect(open({ token: 5 }, { auth: bob.token })).rejects.toMatchObject(refusal);
  });
});
