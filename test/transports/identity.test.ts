import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { TestClock } from "../support/clock.ts";
import { post, request, signUp } from "../support/http.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { within } from "../support/wait.ts";
import { connectTrpc, followingWires, openPlain, openSse, openTrpcSse, PlainClient, type Received } from "../support/wires.ts";

const named = (name: string) => (item: Received) => item.event === name;
const saying = (text: string) => (item: Received) => item.data?.message_text === text;

describe("a plain socket's identity", () => {
  let server: TestServer;
  let ann: { id: number; token: string };
  let bob: { id: number; token: string };
  beforeAll(async () => {
    server = await startServer();
    ann = await signUp(server, "ann");
    bob = await signUp(server, "bob");
  });
  afterAll(() => server.close());

  const usersOf = async (channelId: number) => (await request(server, "GET", `/channel/${channelId}/users`)).body.users;

  test("`connection` is answered with `ready`, which nobody gets unasked", async () => {
    const client = await openPlain(server);
    const silent = await openPlain(server);
    client.send("connection");
    const ready = await client.inbox.take("ready", named("ready"));
    expect(ready).toEqual({ event: "ready", data: { cursor: ready.id }, id: ready.id });
    await post(server, ann.token, 1, "marker");
    await silent.inbox.take("marker", saying("marker"));
    expect(silent.inbox.items.map(({ event }) => event)).toEqual(["post message"]);
    await Promise.all([client.close(), silent.close()]);
  });

  test("a good token is `identified`, a bad one `identity failure`, and the socket stays who it was", async () => {
    const client = await openPlain(server);
    client.send("identify", "nonsense");
    await client.inbox.take("the refusal", named("identity failure"));
    client.send("identify", { token: ann.token });
    client.send("identify");
    await client.inbox.count("refusals", 3, named("identity failure"));
    client.send("change channel", { id: 1 });
    expect(await client.inbox.take("the error", named("error"))).toMatchObject({
      data: { code: "UNAUTHORIZED", error: expect.any(String) },
    });
    client.send("identify", ann.token);
    expect(await client.inbox.take("identified", named("identified"))).toEqual({ event: "identified", data: null });
    client.send("identify", "nonsense");
    await client.inbox.count("refusals", 4, named("identity failure"));
    client.send("change channel", { id: 1 });
    await client.inbox.take("the movement", named("channel movement"));
    expect(await usersOf(1)).toEqual([ann.id]);
    await client.close();
  });

  test("identified as somebody else it leaves first; unidentified it leaves and is nobody", async () => {
    const client = await openPlain(server);
    const witness = await openPlain(server);
    client.send("identify", ann.token);
    client.send("change channel", { id: 2 });
    await witness.inbox.take("ann's coming", ({ data }) => data.users?.includes(ann.id) === true);
    client.send("identify", bob.token);
    await witness.inbox.take("ann's leaving", ({ data }) => data.channel_id === 2 && data.users?.length === 0);
    client.send("change channel", { id: 2 });
    await witness.inbox.take("bob's coming", ({ data }) => data.channel_id === 2 && data.users?.[0] === bob.id);
    client.send("unidentify");
    await witness.inbox.count("bob's leaving", 2, ({ data }) => data.channel_id === 2 && data.users?.length === 0);
    client.send("start typing", { channel_id: 2 });
    expect(await client.inbox.take("the error", named("error"))).toMatchObject({ data: { code: "UNAUTHORIZED" } });
    await Promise.all([client.close(), witness.close()]);
  });

  test("identified again as the same user it stays where it is", async () => {
    const client = await openPlain(server, { token: ann.token });
    await client.inbox.take("identified", named("identified"));
    client.send("change channel", { id: 2 });
    await client.inbox.take("the movement", named("channel movement"));
    client.send("identify", ann.token);
    await client.inbox.count("identified", 2, named("identified"));
    expect(await usersOf(2)).toEqual([ann.id]);
    await client.close();
  });

  test("?auth= and the Authorization header identify with the same answers", async () => {
    const good = await openPlain(server, { token: ann.token });
    await good.inbox.take("identified", named("identified"));
    const bad = await openPlain(server, { token: "nonsense" });
    await bad.inbox.take("the refusal", named("identity failure"));
    await bad.settled();
    const byHeader = new PlainClient(server.wsUrl, { headers: { authorization: `Bearer ${ann.token}` } });
    await byHeader.inbox.take("identified", named("identified"));
    await Promise.all([good.close(), bad.close(), byHeader.close()]);
  });

  test("what a client adds to its frames goes nowhere", async () => {
    const client = await openPlain(server, { token: ann.token });
    const witness = await openPlain(server);
    client.ws.send(
      JSON.stringify({ event: "change channel", data: { id: 1, users: [99], secret: "s3cret" }, id: "forged", secret: "s3cret" }),
    );
    client.ws.send(JSON.stringify({ event: "start typing", data: { channel_id: 1, user_id: bob.id, secret: "s3cret" } }));
    expect(await witness.inbox.take("typing", named("start typing"))).toEqual({
      event: "start typing",
      data: { user_id: ann.id, channel_id: 1 },
    });
    expect(await witness.inbox.take("the movement", ({ data }) => data.users && data.channel_id === 1)).toEqual({
      event: "channel movement",
      data: { channel_id: 1, users: [ann.id] },
    });
    expect(JSON.stringify([client.inbox.items, witness.inbox.items])).not.toContain("s3cret");
    await Promise.all([client.close(), witness.close()]);
  });
});

describe("where ANONYMOUS_READ is false", () => {
  test("a plain socket gets nothing before it is identified, then what its cursor has missed, once", async () => {
    await using server = await startServer({ ANONYMOUS_READ: "false" });
    const ann = await signUp(server, "ann");
    const { body: page } = await request(server, "GET", "/event", { token: ann.token });
    await post(server, ann.token, 1, "missed");
    const client = await openPlain(server, { cursor: page.cursor });
    const identified = await openPlain(server, { token: ann.token });
    await identified.inbox.take("identified", named("identified"));
    await post(server, ann.token, 1, "missed too");
    await identified.inbox.take("the message", saying("missed too"));
    client.send("connection");
    expect(await client.inbox.take("the error", named("error"))).toMatchObject({ data: { code: "UNAUTHORIZED" } });
    expect(client.inbox.items.map(({ event }) => event)).toEqual(["error"]);
    client.send("identify", ann.token);
    await client.inbox.take("ready", named("ready"));
    expect(client.inbox.items.map(({ event, data }) => data?.message_text ?? event)).toEqual([
      "error",
      "identified",
      "missed",
      "missed too",
      "ready",
    ]);
    client.send("unidentify");
    client.send("connection");
    await client.inbox.count("errors", 2, named("error"));
    await post(server, ann.token, 1, "while nobody");
    await identified.inbox.take("the message", saying("while nobody"));
    client.send("identify", ann.token);
    await client.inbox.count("identified", 2, named("identified"));
    await post(server, ann.token, 1, "identified again");
    await client.inbox.take("the message", saying("identified again"));
    expect(client.inbox.items.slice(5).map(({ event, data }) => data?.message_text ?? event)).toEqual([
      "error",
      "identified",
      "identified again",
    ]);
  });

  test("a socket that is nobody for 10 s is closed with 1008, at its start and after `unidentify`, and nobody else is", async () => {
    const clock = new TestClock();
    await using server = await startServer({ ANONYMOUS_READ: "false" }, { clock });
    const ann = await signUp(server, "ann");
    const stranger = await openPlain(server);
    const wrong = await openPlain(server, { token: "nonsense" });
    await wrong.inbox.take("the refusal", named("identity failure"));
    const known = await openPlain(server, { token: ann.token });
    const fickle = await openPlain(server, { token: ann.token });
    await Promise.all([known, fickle].map(({ inbox }) => inbox.take("identified", named("identified"))));
    clock.advance(8_000);
    fickle.send("unidentify");
    fickle.send("connection");
    await fickle.inbox.take("the error", named("error"));
    clock.advance(2_500);
    expect(await within(5_000, "the close", stranger.closed)).toMatchObject({ code: 1008 });
    expect(await within(5_000, "the close", wrong.closed)).toMatchObject({ code: 1008 });
    fickle.send("connection");
    await fickle.inbox.count("errors", 2, named("error"));
    clock.advance(8_000);
    expect(await within(5_000, "the close", fickle.closed)).toMatchObject({ code: 1008 });
    await known.settled();
  });

  test("streams and calls want a token", async () => {
    await using server = await startServer({ ANONYMOUS_READ: "false" });
    await expect(openSse(server)).rejects.toThrow("401");
    const { token } = await signUp(server, "ann");
    const sse = await openSse(server, { token });
    await sse.inbox.take("ready", named("ready"));
    sse.cut();
  });
});

describe("a token that ends", () => {
  test.each(["is revoked", "expires"])("ends what lives on it within 2 s when it %s, and nothing else", async (how) => {
    const clock = new TestClock();
    await using server = await startServer({ TOKEN_TTL: "1h" }, { clock });
    const ann = await signUp(server, "ann");
    clock.jump(1_800_000);
    const bob = await signUp(server, "bob");
    const login = await request(server, "POST", "/auth", { body: { username: "ann", password: "correct horse" } });
    const annElsewhere: string = login.body.token_value;

    const plain = await openPlain(server, { token: ann.token });
    const identified = await openPlain(server);
    identified.send("identify", ann.token);
    await Promise.all([plain, identified].map(({ inbox }) => inbox.take("identified", named("identified"))));
    const bare = connectTrpc(server.wsUrl, { token: ann.token });
    const trpc = connectTrpc(`${server.wsUrl}/trpc`, { token: ann.token });
    const sse = await openSse(server, { token: ann.token });
    const trpcSse = openTrpcSse(server, { token: ann.token });
    const readies = [bare.follow(), trpc.follow(), sse.inbox, trpcSse.inbox];
    await Promise.all(readies.map((inbox) => inbox.take("ready", named("ready"))));

    const others = [
      await openPlain(server, { token: bob.token }),
      await openPlain(server, { token: annElsewhere }),
      await openPlain(server),
    ];
    const otherTrpc = connectTrpc(`${server.wsUrl}/trpc`, { token: bob.token });
    await otherTrpc.follow().take("ready", named("ready"));

    if (how === "expires") {
      clock.jump(1_800_000);
      clock.advance(1_000);
    } else expect((await request(server, "DELETE", "/auth", { token: ann.token })).status).toBe(204);

    for (const client of [plain, identified]) expect(await within(2_000, "the close", client.closed)).toMatchObject({ code: 4001 });
    for (const client of [bare, trpc]) expect(await client.closes.take("the close", () => true, 2_000)).toMatchObject({ code: 4001 });
    await within(2_000, "the end of the stream", sse.ended);
    // It came back with the same token by itself, and was refused.
    await trpcSse.inbox.take("the end of the subscription", ({ event }) => event === "failed", 10_000);
    expect((await request(server, "GET", "/auth", { token: ann.token })).status).toBe(401);

    await Promise.all(others.map((client) => client.settled()));
    expect(otherTrpc.closes.items).toEqual([]);
    await Promise.all([bare.close(), trpc.close(), otherTrpc.close()]);
  });

  test("a reader that takes nothing is cut off all the same", async () => {
    await using server = await startServer();
    const ann = await signUp(server, "ann");
    const plain = await openPlain(server, { token: ann.token });
    await plain.inbox.take("identified", named("identified"));
    plain.ws.pause();
    await request(server, "DELETE", "/auth", { token: ann.token });
    plain.ws.resume();
    expect(await within(5_000, "the close", plain.closed)).toMatchObject({ code: 4001 });
  });

  test("an identity that was given up does not close the socket", async () => {
    await using server = await startServer();
    const ann = await signUp(server, "ann");
    const plain = await openPlain(server, { token: ann.token });
    await plain.inbox.take("identified", named("identified"));
    plain.send("unidentify");
    await plain.settled();
    const witness = await openPlain(server, { token: ann.token });
    await witness.inbox.take("identified", named("identified"));
    await request(server, "DELETE", "/auth", { token: ann.token });
    expect(await within(2_000, "the close", witness.closed)).toMatchObject({ code: 4001 });
    await plain.settled();
  });
});

test("a server that stops tells every socket to go with 1001, and ends every stream", async () => {
  const server = await startServer();
  const readers = await Promise.all(followingWires.map(async ([, open]) => open(server, { cursor: "malformed" })));
  await Promise.all(readers.map(({ inbox }) => inbox.take("resync", named("resync"))));
  const plain = await openPlain(server);
  const trpc = connectTrpc(`${server.wsUrl}/trpc`);
  const sse = await openSse(server);
  await trpc.follow().take("ready", named("ready"));
  await within(8_000, "the stop", server.close());
  expect(await plain.closed).toMatchObject({ code: 1001 });
  expect(await trpc.closes.take("the close", () => true)).toMatchObject({ code: 1001 });
  await within(2_000, "the end of the stream", sse.ended);
  for (const reader of readers) reader.cut();
  await trpc.close();
});
