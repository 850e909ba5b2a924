import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { TestClock } from "../support/clock.ts";
import { post, request, signUp } from "../support/http.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { Inbox, within } from "../support/wait.ts";
import { followingWires, openPlain, openSse, openTrpcSse, type Reader, type Received } from "../support/wires.ts";

let server: TestServer;
let ann: { id: number; token: string };
beforeAll(async () => {
  server = await startServer();
  ann = await signUp(server, "ann");
});
afterAll(() => server.close());

const logged = (items: readonly Received[]) => items.filter(({ event }) => event !== "ready");
const head = async () => (await request(server, "GET", "/channel")).headers.get("x-keenchat-cursor") ?? "";
const as = (method: string, path: string, body?: unknown) =>
  request(server, method, path, { token: ann.token, ...(body !== undefined && { body }) });

/** Reads the log page by page, to its end. */
async function poll(cursor: string, query = ""): Promise<Received[]> {
  const events: Received[] = [];
  for (let next = cursor; ; ) {
    const { body } = await request(server, "GET", `/event?cursor=${next}&limit=2${query}`);
    events.push(...body.events);
    if (body.events.length === 0) {
      expect(body.cursor).toBe(await head());
      return events;
    }
    expect(body.cursor).toBe(body.events.at(-1).id);
    next = body.cursor;
  }
}

/** One of everything, ending with a marker; what becomes of it is the same story on every wire. */
async function happen(marker: string): Promise<{ channel: number; expected: { event: string; data: unknown }[] }> {
  const { body: user } = await request(server, "POST", "/user", { body: { username: marker, password: "correct horse" } });
  const { body: channel } = await as("POST", "/channel", { title: "Room", description: "Δ" });
  const { body: renamed } = await as("PUT", `/channel/${channel.id}`, { title: "Room 2" });
  const { body: message } = await as("POST", "/message", { channel_id: channel.id, message_text: "hello", client_message_id: marker });
  const { body: elsewhere } = await post(server, ann.token, 1, "elsewhere");
  const { body: edited } = await as("PUT", `/message/${elsewhere.id}`, { message_text: "edited" });
  const { body: last } = await post(server, ann.token, channel.id, marker);
  return {
    channel: channel.id,
    expected: [
      { event: "post user", data: user },
      { event: "post channel", data: channel },
      { event: "put channel", data: renamed },
      { event: "post message", data: message },
      { event: "post message", data: elsewhere },
      { event: "put message", data: edited },
      { event: "post message", data: last },
    ],
  };
}

test("the same events with the same ids in the same order on every wire, live, replayed and polled", async () => {
  const cursor = await head();
  const live = await Promise.all(followingWires.map(async ([, open]) => open(server, { cursor })));
  await Promise.all(live.map(({ inbox }) => inbox.take("ready", ({ event }) => event === "ready")));
  const { expected } = await happen("marker-one");
  const polled = await poll(cursor);
  expect(polled.map(({ event, data }) => ({ event, data }))).toEqual(expected);
  expect(new Set(polled.map(({ id }) => id)).size).toBe(expected.length);
  for (const { id } of polled) expect(id).toMatch(/^[A-Za-z0-9._-]{1,64}$/);
  for (const { inbox } of live) {
    await inbox.count("events", expected.length + 1);
    expect(logged(inbox.items)).toEqual(polled);
  }
  for (const [, open] of followingWires) {
    const replayed = await open(server, { cursor });
    await replayed.inbox.take("ready", ({ event }) => event === "ready");
    expect(logged(replayed.inbox.items)).toEqual(polled);
    replayed.cut();
  }
  for (const reader of live) reader.cut();
});

test("a channel filter leaves the events about those channels and those about none, on every wire", async () => {
  const cursor = await head();
  const { body: wanted } = await as("POST", "/channel", { title: "Wanted" });
  const live: Reader[] = await Promise.all(followingWires.map(async ([, open]) => open(server, { cursor, channels: [wanted.id, 2] })));
  await Promise.all(live.map(({ inbox }) => inbox.take("ready", ({ event }) => event === "ready")));
  await happen("marker-two");
  await post(server, ann.token, 2, "in the other one");
  await post(server, ann.token, wanted.id, "marker");
  const polled = await poll(cursor, `&channel_id=${wanted.id},2`);
  expect(polled.map(({ event, data }) => data.message_text ?? event)).toEqual(["post channel", "post user", "in the other one", "marker"]);
  for (const { inbox } of live) {
    await inbox.take("the marker", ({ data }) => data.message_text === "marker");
    expect(logged(inbox.items)).toEqual(polled);
  }
  for (const reader of live) reader.cut();
});

test("removing a message or a channel is one event on every wire", async () => {
  const { body: channel } = await as("POST", "/channel", { title: "Doomed" });
  const { body: message } = await post(server, ann.token, channel.id, "one");
  await post(server, ann.token, channel.id, "two");
  const cursor = await head();
  const live = await Promise.all(followingWires.map(async ([, open]) => open(server, { cursor })));
  await Promise.all(live.map(({ inbox }) => inbox.take("ready", ({ event }) => event === "ready")));
  await as("DELETE", `/message/${message.id}`);
  await as("DELETE", `/channel/${channel.id}`);
  await post(server, ann.token, 1, "marker");
  for (const reader of live) {
    await reader.inbox.take("the marker", ({ data }) => data.message_text === "marker");
    expect(
      logged(reader.inbox.items)
        .slice(0, -1)
        .map(({ event, data }) => ({ event, data })),
    ).toEqual([
      { event: "delete message", data: { id: message.id, channel_id: channel.id } },
      { event: "delete channel", data: { id: channel.id } },
    ]);
    reader.cut();
  }
});

test("what is refused, and who signs out, is no event", async () => {
  const live = await Promise.all(followingWires.map(async ([, open]) => open(server, { cursor: await head() })));
  await Promise.all(live.map(({ inbox }) => inbox.take("ready", ({ event }) => event === "ready")));
  expect((await as("POST", "/message", { channel_id: 9_999, message_text: "x" })).status).toBe(404);
  expect((await as("POST", "/message", { channel_id: 1, message_text: " " })).status).toBe(400);
  expect((await as("DELETE", "/message/99999")).status).toBe(404);
  const other = await request(server, "POST", "/auth", { body: { username: "ann", password: "correct horse" } });
  await request(server, "DELETE", "/auth", { token: other.body.token_value });
  await post(server, ann.token, 1, "marker");
  for (const reader of live) {
    await reader.inbox.take("the marker", ({ data }) => data.message_text === "marker");
    expect(logged(reader.inbox.items).map(({ data }) => data.message_text)).toEqual(["marker"]);
    reader.cut();
  }
});

describe("GET /event", () => {
  test("as JSON without a cursor has no events and the head's cursor; as a stream it says so in its headers", async () => {
    expect((await request(server, "GET", "/event")).body).toEqual({ events: [], cursor: await head() });
    const sse = await openSse(server);
    expect(sse.response.headers.get("content-type")).toMatch(/^text\/event-stream/);
    expect(sse.response.headers.get("cache-control")).toBe("no-store, no-transform");
    expect(sse.response.headers.get("x-keenchat-cursor")).toMatch(/^[A-Za-z0-9._-]{1,64}$/);
    sse.cut();
    const accept = { headers: { accept: "text/event-stream" } };
    expect((await request(server, "HEAD", "/event", accept)).status).toBe(200);
    for (const query of [
      "channel_id=0",
      "channel_id=1.0",
      "channel_id=",
      "channel_id=1&channel_id[]=x",
      "channel_id=1,,2",
      "cursor=a&cursor=b",
    ]) {
      expect((await request(server, "GET", `/event?${query}`, accept)).status).toBe(400);
      expect((await request(server, "GET", `/event?${query}`)).status).toBe(400);
    }
  });

  test.each(["malformed", "zzzzzz.AAAAAAAA"])("as JSON answers the cursor %s with one `resync`", async (cursor) => {
    const { body } = await request(server, "GET", `/event?cursor=${cursor}`);
    const now = await head();
    const reason = cursor === "malformed" ? "malformed" : "unknown";
    expect(body).toEqual({ events: [{ id: now, event: "resync", data: { reason, cursor: now } }], cursor: now });
  });

  test("as a stream keeps itself alive every 15 s", async () => {
    const clock = new TestClock();
    await using own = await startServer({}, { clock });
    const sse = await openSse(own);
    await sse.inbox.take("ready", ({ event }) => event === "ready");
    clock.advance(15_000);
    const { token } = await signUp(own, "ann");
    await post(own, token, 1, "marker");
    await sse.inbox.take("the marker", ({ data }) => data.message_text === "marker");
    expect(sse.comments).toHaveLength(1);
    sse.cut();
  });
});

/** Socket.IO's protocol as far as a reader needs it: a connection is opened, and events come as packets. */
async function openSocketIo({ wsUrl }: { wsUrl: string }, query: string): Promise<Reader> {
  const inbox = new Inbox<Received>();
  const ws = new WebSocket(`${wsUrl}/socket.io/?EIO=4&transport=websocket&${query}`);
  const opened = new Promise<void>((resolve) =>
    ws.on("message", (packet) => {
      const text = String(packet);
      if (text.startsWith("0")) ws.send("40");
      if (text.startsWith("40")) resolve();
      if (text.startsWith("42")) inbox.push({ event: JSON.parse(text.slice(2))[0], data: JSON.parse(text.slice(2))[1] });
    }),
  );
  await within(10_000, "opening", opened);
  ws.send('42["connection"]');
  await inbox.take("ready", ({ event }) => event === "ready");
  return { inbox, cut: () => ws.terminate() };
}

test.each(["channel_id=1,2", "channel_id=1&channel_id=2", "channel_id[]=1&channel_id[]=2", "channel_id%5B%5D=1&channel_id%5B%5D=2"])(
  "a stream and a socket opened with ?%s get what happens in both channels, and nothing else",
  async (filter) => {
    const { body: other } = await as("POST", "/channel", { title: "Elsewhere" });
    const sse = await openSse(server, { query: filter });
    const plain = await openPlain(server, { query: filter });
    // By hand, as its clients write a list in a way of their own.
    const io = await openSocketIo(server, filter);
    await plain.settled();
    await sse.inbox.take("ready", ({ event }) => event === "ready");
    for (const [channel, text] of [
      [other.id, "elsewhere"],
      [1, "one"],
      [2, "two"],
    ] as const)
      await post(server, ann.token, channel, text);
    for (const { inbox } of [sse, plain, io]) await inbox.take("the last", ({ data }) => data?.message_text === "two");
    for (const received of [sse, plain, io])
      expect(received.inbox.items.flatMap(({ data }) => data?.message_text ?? [])).toEqual(["one", "two"]);
    for (const each of [sse, plain, io]) each.cut();
  },
);

test("a filter that is none is refused on every wire", async () => {
  const plain = await openPlain(server, { channels: [0] });
  expect(await plain.inbox.take("the error", ({ event }) => event === "error")).toMatchObject({
    data: { code: "BAD_REQUEST" },
  });
  const trpc = openTrpcSse(server, { channels: [0] });
  await trpc.inbox.take("the refusal", ({ event }) => event === "failed");
  trpc.cut();
});
