import { connect } from "node:net";
import { describe, expect, test } from "vitest";
import { largestBacklog, waitingConnections } from "../support/backlog.ts";
import { TestClock } from "../support/clock.ts";
import { post, request, signUp } from "../support/http.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { TrpcSocket } from "../support/trpc-frames.ts";
import { within } from "../support/wait.ts";
import { connectTrpc, openPlain, openSse, type PlainClient, type Received } from "../support/wires.ts";

const messages = 500;
const boundBytes = 1024 * 1024;
const large = "🙂".repeat(10_000);
const isMessage = ({ event }: Received) => event === "post message";
const idsOf = (items: readonly Received[]) => items.filter(isMessage).map(({ data }) => data.id as number);
const upTo = (last: number) => Array.from({ length: last }, (_, index) => index + 1);

async function postLarge(server: TestServer, token: string): Promise<void> {
  let left = messages;
  const writer = async () => {
    while (left > 0) {
      left -= 1;
      expect((await post(server, token, 1, large)).status).toBe(201);
    }
  };
  await Promise.all(Array.from({ length: 8 }, writer));
}

/** Lets time pass for the server, no faster than the healthy can answer its pings. */
async function pass(clock: TestClock, ms: number, healthy: PlainClient): Promise<void> {
  for (let passed = 0; passed < ms; passed += 5_000) {
    clock.advance(5_000);
    await healthy.breathe();
  }
}

interface Stopped {
  /** Goes on reading, to the end; resolves with what came. */
  goOn(): Promise<{ code: number | undefined; items: readonly Received[] }>;
}

/** A reader of each wire that has stopped reading after its `ready`. */
const stopped: [string, (server: TestServer, cursor: string) => Promise<Stopped>][] = [
  [
    "the plain WebSocket",
    async (server, cursor) => {
      const client = await openPlain(server, { cursor });
      await client.inbox.take("ready", ({ event }) => event === "ready");
      client.ws.pause();
      return {
        async goOn() {
          client.ws.resume();
          const { code } = await within(15_000, "the close", client.closed);
          return { code, items: client.inbox.items };
        },
      };
    },
  ],
  [
    "SSE",
    async (server, cursor) => {
      const socket = connect(Number(new URL(server.restUrl).port), "127.0.0.1");
      socket.write(`GET /event?cursor=${cursor} HTTP/1.0\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n`);
      let text = "";
      socket.setEncoding("utf8").on("data", (data) => {
        text += data;
      });
      socket.on("error", () => {});
      const ended = new Promise<undefined>((resolve) => socket.once("close", () => resolve(undefined)));
      await new Promise((resolve) => socket.once("data", resolve));
      socket.pause();
      return {
        async goOn() {
          socket.resume();
          const code = await within(15_000, "the end", ended);
          const items = [...text.matchAll(/^id: (.*)\nevent: post message\ndata: (.*)\n\n/gm)].map(([, id = "", data = ""]) => ({
            event: "post message",
            id,
            data: JSON.parse(data),
          }));
          return { code, items };
        },
      };
    },
  ],
];

describe.each(stopped)("a reader that stops reading %s", (_name, open) => {
  test("holds no more than 1 MiB, slows nobody, is ended after 60 s, and resumes from where it was", async () => {
    const clock = new TestClock();
    await using server = await startServer({}, { clock });
    const { token } = await signUp(server, "ann");
    const cursor = (await request(server, "GET", "/channel")).headers.get("x-keenchat-cursor") ?? "";
    const healthy = await openPlain(server);
    const reader = await open(server, cursor);
    largestBacklog();
    await postLarge(server, token);
    await healthy.inbox.count("messages", messages, isMessage, 15_000);
    expect(waitingConnections()).toBe(1);
    expect(largestBacklog()).toBeLessThan(boundBytes);
    await pass(clock, 45_000, healthy);
    expect(waitingConnections()).toBe(1);
    await pass(clock, 20_000, healthy);
    const { code, items } = await reader.goOn();
    if (code !== undefined) expect(code).toBe(4008);
    const seen = idsOf(items);
    expect(seen).toEqual(upTo(seen.length));
    expect(seen.length).toBeLessThan(messages);
    const again = await openPlain(server, { cursor: items.findLast(isMessage)?.id });
    await again.inbox.take("ready", ({ event }) => event === "ready", 15_000);
    expect([...seen, ...idsOf(again.inbox.items)]).toEqual(upTo(messages));
    expect(largestBacklog()).toBeLessThan(boundBytes);
  }, 60_000);
});

test("tRPC's own client that stopped for 60 s comes back by itself: nothing lost, nothing twice", async () => {
  const clock = new TestClock();
  await using server = await startServer({}, { clock });
  const { token } = await signUp(server, "ann");
  const healthy = await openPlain(server);
  const trpc = connectTrpc(`${server.wsUrl}/trpc`);
  // The readers on one socket share its bound.
  const inboxes = Array.from({ length: 5 }, () => trpc.follow());
  await Promise.all(inboxes.map((inbox) => inbox.take("ready", ({ event }) => event === "ready")));
  trpc.sockets[0]?.pause();
  largestBacklog();
  await postLarge(server, token);
  await healthy.inbox.count("messages", messages, isMessage, 15_000);
  expect(largestBacklog()).toBeLessThan(boundBytes);
  await pass(clock, 65_000, healthy);
  trpc.sockets[0]?.resume();
  expect(await trpc.closes.take("the close", () => true, 15_000)).toMatchObject({ code: 4008 });
  for (const inbox of inboxes) {
    await inbox.count("messages", messages, isMessage, 30_000);
    expect(idsOf(inbox.items)).toEqual(upTo(messages));
  }
  expect(largestBacklog()).toBeLessThan(boundBytes);
  await trpc.close();
}, 90_000);

test("a reader that takes nothing is ended after a minute, however little waits for it, and nobody else is", async () => {
  const clock = new TestClock();
  await using server = await startServer({}, { clock });
  const { token } = await signUp(server, "ann");
  const [healthy, slow] = [await openPlain(server), await openPlain(server)];
  slow.ws.pause();
  largestBacklog();
  while (waitingConnections() === 0) {
    const { body } = await post(server, token, 1, large);
    await healthy.inbox.take("the message", ({ data }) => data.id === body.id);
  }
  await pass(clock, 45_000, healthy);
  expect(waitingConnections()).toBe(1);
  await pass(clock, 30_000, healthy);
  expect(waitingConnections()).toBe(0);
  // Less than what its feed would have ended it for.
  expect(largestBacklog()).toBeLessThan(256 * 1024);
  slow.ws.resume();
  expect(await within(15_000, "the end", slow.closed)).toMatchObject({ code: 1006 });
  expect(healthy.ws.readyState).toBe(healthy.ws.OPEN);
}, 60_000);

test("a slow reader that goes on within 60 s keeps its connection and gets everything, though it could answer no ping", async () => {
  const clock = new TestClock();
  await using server = await startServer({}, { clock });
  const { token } = await signUp(server, "ann");
  const [healthy, slow] = [await openPlain(server), await openPlain(server)];
  slow.ws.pause();
  await postLarge(server, token);
  await healthy.inbox.count("messages", messages, isMessage, 15_000);
  await pass(clock, 50_000, healthy);
  slow.ws.resume();
  await slow.inbox.count("messages", messages, isMessage, 15_000);
  expect(idsOf(slow.inbox.items)).toEqual(upTo(messages));
  await slow.settled();
}, 60_000);

test("a replay to a reader that takes nothing is bounded, for each of many", async () => {
  await using server = await startServer();
  const cursor = (await request(server, "GET", "/channel")).headers.get("x-keenchat-cursor") ?? "";
  const { token } = await signUp(server, "ann");
  await postLarge(server, token);
  largestBacklog();
  const readers = await Promise.all(
    Array.from({ length: 20 }, async () => {
      const client = await openPlain(server, { cursor });
      client.ws.pause();
      return client;
    }),
  );
  const healthy = await openSse(server, { cursor });
  await healthy.inbox.take("ready", ({ event }) => event === "ready", 15_000);
  expect(idsOf(healthy.inbox.items)).toEqual(upTo(messages));
  expect(largestBacklog()).toBeLessThan(boundBytes);
  for (const reader of readers) reader.cut();
  healthy.cut();
}, 60_000);

test("a client that asks and takes no answer is not listened to: its answers do not pile up, and none is lost", async () => {
  await using server = await startServer();
  const client = await openPlain(server);
  const path = "x".repeat(50_000);
  const query = (id: number) => JSON.stringify({ id, method: "query", params: { path } });
  client.ws.send(query(0));
  await client.inbox.count("answers", 1);
  client.ws.pause();
  largestBacklog();
  const count = 300;
  for (let id = 1; id <= count; id += 1) client.ws.send(query(id));
  for (let index = 0; index < 20; index += 1) client.ws.ping("x".repeat(100));
  const witness = await openPlain(server);
  await within(15_000, "a full connection", untilFull(witness));
  expect(largestBacklog()).toBeLessThan(boundBytes);
  client.ws.resume();
  await client.inbox.count("answers", 1 + count, () => true, 15_000);
  expect(largestBacklog()).toBeLessThan(boundBytes);
}, 60_000);

/** Everything a hundred times: each page is as large as an answer may be. */
const pagesAsked: [string, (server: TestServer) => Promise<{ goOn(): Promise<number> }>][] = [
  [
    "one frame over WebSocket",
    async (server) => {
      const socket = await TrpcSocket.open(`${server.wsUrl}/trpc`);
      socket.ws.pause();
      socket.send(upTo(100).map((id) => ({ id, method: "query", params: { path: "message.list", input: { limit: 200 } } })));
      return {
        async goOn() {
          socket.ws.resume();
          const answers = await socket.inbox.count("answers", 100, ({ result }) => result?.type === "data", 30_000);
          socket.ws.close();
          return answers.length;
        },
      };
    },
  ],
  [
    "one batch over HTTP",
    async (server) => {
      const socket = connect(Number(new URL(server.restUrl).port), "127.0.0.1");
      const input = JSON.stringify(Object.fromEntries(upTo(100).map((id) => [id - 1, { limit: 200 }])));
      const target = `/trpc/${Array(100).fill("message.list").join(",")}?batch=1&input=${encodeURIComponent(input)}`;
      socket.pause();
      socket.write(`GET ${target} HTTP/1.0\r\nHost: localhost\r\n\r\n`);
      return {
        async goOn() {
          const chunks: Buffer[] = [];
          socket.on("data", (chunk) => chunks.push(chunk));
          socket.resume();
          await within(30_000, "the end", new Promise((resolve) => socket.once("close", resolve)));
          const text = Buffer.concat(chunks).toString();
          return (JSON.parse(text.slice(text.indexOf("\r\n\r\n"))) as { result: unknown }[]).filter(({ result }) => result).length;
        },
      };
    },
  ],
];

test.each(pagesAsked)(
  "a hundred pages asked for in %s are read no faster than they are taken, and all of them come",
  async (_how, ask) => {
    await using server = await startServer();
    const { token } = await signUp(server, "ann");
    await Promise.all(upTo(30).map(() => post(server, token, 1, large)));
    const witness = await openPlain(server);
    largestBacklog();
    const asked = await ask(server);
    await within(15_000, "a full connection", untilFull(witness));
    expect(largestBacklog()).toBeLessThan(2 * boundBytes);
    expect(await asked.goOn()).toBe(100);
    expect(largestBacklog()).toBeLessThan(2 * boundBytes);
  },
  60_000,
);

async function untilFull(witness: PlainClient): Promise<void> {
  while (waitingConnections() === 0) await witness.breathe();
  // What the server reads and answers now would be seen: it has turns enough for it.
  for (let turn = 0; turn < 50; turn += 1) await witness.breathe();
}
