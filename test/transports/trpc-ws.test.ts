import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { TestClock } from "../support/clock.ts";
import { post, request, signUp } from "../support/http.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { TrpcSocket } from "../support/trpc-frames.ts";
import { within } from "../support/wait.ts";
import { connectTrpc, openPlain } from "../support/wires.ts";

let server: TestServer;
let ann: { id: number; token: string };
beforeAll(async () => {
  server = await startServer();
  ann = await signUp(server, "ann");
});
afterAll(() => server.close());

const query = (id: unknown, path: string, input: unknown = {}) => ({ id, method: "query", params: { path, input } });

describe.each([
  ["the bare WEBSOCKETS_PORT", () => server.wsUrl],
  ["/trpc on WEBSOCKETS_PORT", () => `${server.wsUrl}/trpc`],
  ["/trpc on PORT", () => `${server.restUrl.replace("http", "ws")}/trpc`],
  ["the bare PORT", () => server.restUrl.replace("http", "ws")],
])("wsLink pointed at %s", (_name, url) => {
  test.each([
    ["with connectionParams", true],
    ["without anything", false],
  ])("gets calls and events %s", async (_how, signedIn) => {
    const client = connectTrpc(url(), { token: signedIn ? ann.token : undefined });
    const inbox = client.follow();
    await inbox.take("ready", ({ event }) => event === "ready");
    const me = client.api.auth.session.query({});
    if (signedIn) expect(await me).toMatchObject({ user_id: ann.id, username: "ann" });
    else await expect(me).rejects.toMatchObject({ data: { code: "UNAUTHORIZED", httpStatus: 401, path: "auth.session" } });
    const { body } = await post(server, ann.token, 1, "seen by tRPC");
    expect(await inbox.take("the message", ({ event, data }) => event === "post message" && data.id === body.id)).toMatchObject({
      data: body,
      id: expect.stringMatching(/^[A-Za-z0-9._-]{1,64}$/),
    });
    expect(inbox.items[0]?.event).toBe("ready");
    await client.close();
  });
});

test("a lazy client whose first frame is a batch is understood at the bare port", async () => {
  const client = connectTrpc(server.wsUrl, { lazy: true });
  const answers = await Promise.all([client.api.channel.get.query({ id: 1 }), client.api.channel.get.query({ id: 2 })]);
  expect(answers.map(({ title }) => title)).toEqual(["General", "Code"]);
  await client.close();
});

test("a client that says PING first is understood at the bare port", async () => {
  const raw = await TrpcSocket.open(server.wsUrl);
  raw.send("PING");
  await raw.pongs.count("PONG", 1);
  raw.send("PING");
  await raw.pongs.count("PONG", 2);
  raw.send(query(1, "channel.get", { id: 1 }));
  expect(await raw.inbox.take("the answer", ({ id }) => id === 1)).toMatchObject({ result: { type: "data", data: { title: "General" } } });
  raw.send("PING");
  await raw.pongs.count("PONG", 3);
  raw.ws.close();
});

test("events that come before the first frame at the bare port do not confuse a tRPC client", async () => {
  const client = connectTrpc(server.wsUrl);
  await client.opens.count("opening", 1);
  const plain = await openPlain(server);
  const { body } = await post(server, ann.token, 1, "before anybody spoke");
  await plain.inbox.take("the message", ({ data }) => data.id === body.id);
  expect(await client.api.channel.get.query({ id: 2 })).toMatchObject({ title: "Code" });
  const inbox = client.follow();
  await inbox.take("ready", ({ event }) => event === "ready");
  await post(server, ann.token, 1, "marker");
  await inbox.take("marker", ({ data }) => data.message_text === "marker");
  expect(inbox.items.map(({ event }) => event)).toEqual(["ready", "post message"]);
  expect(client.sockets).toHaveLength(1);
  await Promise.all([client.close(), plain.close()]);
});

test("a plain client and a tRPC client share the bare port, and a frame with an event is never tRPC's", async () => {
  const plain = await openPlain(server);
  const client = connectTrpc(server.wsUrl);
  plain.ws.send(JSON.stringify({ method: "query", event: "connection", id: 1 }));
  await plain.inbox.take("ready", ({ event }) => event === "ready");
  expect(await client.api.channel.get.query({ id: 1 })).toMatchObject({ title: "General" });
  plain.ws.send(JSON.stringify(query(1, "channel.get", { id: 1 })));
  expect(await plain.inbox.take("error", ({ event }) => event === "error")).toMatchObject({ data: { code: "BAD_REQUEST" } });
  await Promise.all([client.close(), plain.close()]);
});

test("a plain reader at the bare port that turns out to be tRPC's hears nothing of the plain wire any more", async () => {
  const raw = await TrpcSocket.open(server.wsUrl);
  raw.send([query(1, "channel.get", { id: 1 })]);
  await raw.inbox.take("the answer", ({ id }) => id === 1);
  const witness = await openPlain(server);
  const { body } = await post(server, ann.token, 1, "not for calls");
  await witness.inbox.take("the message", ({ data }) => data.id === body.id);
  raw.send(query(2, "channel.get", { id: 1 }));
  await raw.inbox.take("the answer", ({ id }) => id === 2);
  expect(raw.inbox.items.map(({ id }) => id)).toEqual([1, 2]);
  raw.ws.close();
  await witness.close();
});

test.each(["/", "/trpc"])(
  "a socket at %s that announces connection parameters and never sends them is closed with 1008 after 10 s",
  async (path) => {
    const clock = new TestClock();
    await using own = await startServer({}, { clock });
    const raw = await TrpcSocket.open(`${own.wsUrl}${path}?connectionParams=1`);
    const prompt = await TrpcSocket.open(`${own.wsUrl}${path}?connectionParams=1`);
    prompt.send({ method: "connectionParams", data: null });
    prompt.send(query(1, "channel.get", { id: 1 }));
    await prompt.inbox.take("the answer", ({ id }) => id === 1);
    clock.advance(9_000);
    prompt.send(query(2, "channel.get", { id: 1 }));
    await prompt.inbox.take("the answer", ({ id }) => id === 2);
    expect(raw.ws.readyState).toBe(WebSocket.OPEN);
    clock.advance(1_500);
    expect(await within(5_000, "the close", raw.closed)).toBe(1008);
    expect(prompt.ws.readyState).toBe(WebSocket.OPEN);
  },
);

test("a frame in the place of the announced connection parameters is refused, not lost", async () => {
  const raw = await TrpcSocket.open(`${server.wsUrl}/trpc?connectionParams=1`);
  raw.send(query(1, "channel.get", { id: 1 }));
  expect(await raw.inbox.take("the error", ({ error }) => error !== undefined)).toMatchObject({ error: { data: { code: "BAD_REQUEST" } } });
  expect(await within(5_000, "the close", raw.closed)).toBe(1008);
});

test.each<[string, number, string, (() => string) | undefined]>([
  ["is none", 401, "UNAUTHORIZED", undefined],
  ["differs from the URL's", 400, "BAD_REQUEST", () => `?auth=${ann.token}`],
])(
  "with a token that %s, tRPC's own client gets the reason for each call and subscription, and stays connected",
  async (_how, httpStatus, code, query) => {
    const client = connectTrpc(`${server.wsUrl}/trpc${query?.() ?? ""}`, { token: "nonsense" });
    for (let round = 0; round < 2; round += 1) {
      await expect(client.api.channel.get.query({ id: 1 })).rejects.toMatchObject({ data: { code, httpStatus, path: "channel.get" } });
      expect(await client.follow().take("the refusal", ({ event }) => event === "failed")).toMatchObject({ data: { code } });
    }
    expect(client.sockets).toHaveLength(1);
    expect(client.sockets[0]?.readyState).toBe(WebSocket.OPEN);
    await client.close();
  },
);

test("the token of the header or of the URL counts on a tRPC socket", async () => {
  const byUrl = await TrpcSocket.open(`${server.wsUrl}/trpc?auth=${ann.token}`);
  byUrl.send(query(1, "auth.session"));
  expect(await byUrl.inbox.take("the answer", ({ id }) => id === 1)).toMatchObject({ result: { data: { user_id: ann.id } } });
  byUrl.ws.close();
  const byHeader = await TrpcSocket.open(`${server.wsUrl}/trpc`, { headers: { authorization: `Bearer ${ann.token}` } });
  byHeader.send(query(1, "auth.session"));
  expect(await byHeader.inbox.take("the answer", ({ id }) => id === 1)).toMatchObject({ result: { data: { user_id: ann.id } } });
  await byHeader.close();
});

describe("bad frames get an error and leave the socket open", () => {
  test.each<[string, unknown]>([
    ["no JSON", "{nonsense"],
    ["a number", "5"],
    ["an empty batch", "[]"],
    ["a batch of junk", "[1,null,[]]"],
    ["no such procedure", query(7, "nothing.here")],
    ["a prototype's name for a procedure", query(7, "__proto__.toString")],
    ["no parameters", { id: 7, method: "query" }],
    ["parameters that are a list", { id: 7, method: "subscription", params: [] }],
    ["a path that is a number", { id: 7, method: "query", params: { path: 1 } }],
    ["a wrong input", query(7, "channel.get", { id: "1" })],
    ["a wrong channel filter", { id: 7, method: "subscription", params: { path: "events", input: { channel_id: ["1"] } } }],
    ["an input that is a list", { id: 7, method: "subscription", params: { path: "events", input: [] } }],
    ["a subscription that is a query", query(7, "events")],
    ["a query that is a subscription", { id: 7, method: "subscription", params: { path: "channel.get", input: { id: 1 } } }],
    ["no id", { method: "query", params: { path: "channel.get", input: { id: 1 } } }],
    ["an id that is an object", query({}, "channel.get", { id: 1 })],
    ["an id that is true", query(true, "channel.get", { id: 1 })],
  ])("%s", async (_name, frame) => {
    const raw = await TrpcSocket.open(`${server.wsUrl}/trpc`);
    raw.send(frame);
    if (frame !== "[]") {
      const answer = await raw.inbox.take("an error", ({ error }) => error !== undefined);
      expect(answer.error?.data).toMatchObject({
        code: expect.stringMatching(/^(BAD_REQUEST|NOT_FOUND|METHOD_NOT_SUPPORTED)$/),
        request_id: expect.any(String),
      });
      expect(JSON.stringify(answer)).not.toMatch(/node_modules|\.ts:|stack/);
    }
    raw.send(query(8, "channel.get", { id: 1 }));
    await raw.inbox.take("the answer after it", ({ id }) => id === 8);
    raw.ws.close();
  });
});

test("subscription.stop ends a subscription, and it alone", async () => {
  const raw = await TrpcSocket.open(`${server.wsUrl}/trpc`);
  raw.send({ id: 1, method: "subscription", params: { path: "events" } });
  raw.send({ id: 2, method: "subscription", params: { path: "events" } });
  await raw.inbox.count("ready", 2, ({ result }) => result?.data?.data?.event === "ready");
  raw.send({ id: 1, method: "subscription.stop" });
  await raw.inbox.take("stopped", ({ id, result }) => id === 1 && result?.type === "stopped");
  await post(server, ann.token, 1, "for one of two");
  await raw.inbox.take("the message", ({ id, result }) => id === 2 && result?.data?.data?.data?.message_text === "for one of two");
  expect(raw.inbox.items.filter(({ id, result }) => id === 1 && result?.data?.data?.event === "post message")).toEqual([]);
  raw.send({ id: 1, method: "subscription", params: { path: "events" } });
  await raw.inbox.count("ready under the freed id", 2, ({ id, result }) => id === 1 && result?.data?.data?.event === "ready");
  raw.ws.close();
});

test("an id that is in use is refused, for a call as for a subscription", async () => {
  const raw = await TrpcSocket.open(`${server.wsUrl}/trpc?auth=${ann.token}`);
  raw.send({ id: 1, method: "subscription", params: { path: "events" } });
  raw.send({ id: "p", method: "subscription", params: { path: "channel.presence", input: { id: 1 } } });
  await raw.inbox.take("the users", ({ id, result }) => id === "p" && result?.type === "data");
  for (const frame of [
    { id: 1, method: "subscription", params: { path: "events" } },
    { id: "p", method: "subscription", params: { path: "events" } },
    { id: "p", method: "subscription", params: { path: "channel.presence", input: { id: 1 } } },
    query(1, "channel.get", { id: 1 }),
    query("p", "channel.get", { id: 1 }),
  ]) {
    const before = raw.inbox.items.length;
    raw.send(frame);
    await raw.inbox.take("the refusal", (answer) => raw.inbox.items.indexOf(answer) >= before && answer.error?.data.code === "BAD_REQUEST");
  }
  await post(server, ann.token, 1, "still followed");
  await raw.inbox.take("the message", ({ result }) => result?.data?.data?.data?.message_text === "still followed");
  raw.ws.close();
});

test("an id that every frame would repeat is short, or is refused", async () => {
  const raw = await TrpcSocket.open(`${server.wsUrl}/trpc`);
  for (const frame of [{ method: "subscription", params: { path: "events" } }, query(0, "channel.get", { id: 1 })])
    raw.send({ ...frame, id: "x".repeat(65) });
  const refusals = await raw.inbox.count("refusals", 2, ({ error }) => error?.data.code === "BAD_REQUEST");
  for (const { id } of refusals) expect(id).toBe(null);
  raw.send(query("x".repeat(64), "channel.get", { id: 1 }));
  await raw.inbox.take("the answer", ({ id, result }) => id === "x".repeat(64) && result?.data?.title === "General");
  raw.ws.close();
});

test("who signs out over a socket is answered before it is closed", async () => {
  const { token } = await signUp(server, "leaver");
  const raw = await TrpcSocket.open(`${server.wsUrl}/trpc?auth=${token}`);
  raw.send({ id: 1, method: "mutation", params: { path: "auth.logout" } });
  expect(await within(10_000, "the close", raw.closed)).toBe(4001);
  expect(raw.inbox.items).toMatchObject([{ id: 1, result: { type: "data" } }]);
});

test("the events subscription wants a token where ANONYMOUS_READ is false", async () => {
  await using own = await startServer({ ANONYMOUS_READ: "false" });
  const { token } = await signUp(own, "ann");
  const stranger = connectTrpc(`${own.wsUrl}/trpc`);
  expect(await stranger.follow().take("the refusal", ({ event }) => event === "failed")).toMatchObject({ data: { code: "UNAUTHORIZED" } });
  const known = connectTrpc(`${own.wsUrl}/trpc`, { token });
  await known.follow().take("ready", ({ event }) => event === "ready");
  expect((await request(own, "GET", "/event")).status).toBe(401);
  await Promise.all([stranger.close(), known.close()]);
});
