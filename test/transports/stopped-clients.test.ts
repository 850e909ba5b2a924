/** Clients over HTTP that have stopped: they send nothing, take nothing, or are gone without a word. */
import { once } from "node:events";
import { Agent, request as call, createServer, get, type IncomingMessage } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { text as readText } from "node:stream/consumers";
import { createTRPCClient, httpSubscriptionLink } from "@trpc/client";
import { EventSource } from "eventsource";
import { expect, test } from "vitest";
import type { AppRouter } from "../../src/api.ts";
import { OpenSockets } from "../../src/transports/http/open-sockets.ts";
import { largestBacklog, totalBacklog, waitingConnections } from "../support/backlog.ts";
import { TestClock } from "../support/clock.ts";
import { post, request, signUp } from "../support/http.ts";
import { holdAgainstDocument, operations } from "../support/openapi.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { Inbox, within } from "../support/wait.ts";
import { openPlain, type PlainClient } from "../support/wires.ts";

const large = `x${"\u0001".repeat(9_999)}`;
const page = "GET /message?limit=200 HTTP/1.1\r\nHost: localhost\r\n\r\n";

async function open(server: TestServer, options: { localAddress?: string } = {}): Promise<Socket & { ended: Promise<unknown> }> {
  const socket = connect({ host: "127.0.0.1", port: Number(new URL(server.restUrl).port), ...options });
  socket.on("error", () => {});
  await once(socket, "connect");
  return Object.assign(socket, { ended: once(socket, "close") });
}

/** Resolves once the server has had turns enough to do what was asked before. */
async function settle(witness: PlainClient): Promise<void> {
  for (let turn = 0; turn < 50; turn += 1) await witness.breathe();
}

/** Lets time pass for the server, no faster than the witness can answer its pings. */
async function pass(clock: TestClock, ms: number, witness: PlainClient): Promise<void> {
  for (let passed = 0; passed < ms; passed += 5_000) {
    clock.advance(5_000);
    await witness.breathe();
  }
}

async function statusOf(server: TestServer, path: string, options: { localAddress?: string; agent?: Agent } = {}): Promise<number> {
  const { port } = new URL(server.restUrl);
  const [response] = await once(get({ host: "127.0.0.1", port, path, ...options }), "response");
  response.resume();
  await once(response, "end");
  return response.statusCode;
}

/** Asks from an address of its own. */
async function ask(server: TestServer, method: string, path: string, localAddress: string) {
  const { port } = new URL(server.restUrl);
  const [response] = (await once(call({ host: "127.0.0.1", port, path, method, localAddress }).end(), "response")) as [IncomingMessage];
  const headers = new Headers(Object.entries(response.headers).map(([name, value]): [string, string] => [name, String(value)]));
  return { status: response.statusCode ?? 0, headers, text: await readText(response) };
}

async function fill(server: TestServer): Promise<void> {
  const { token } = await signUp(server, "ann");
  await Promise.all(Array.from({ length: 20 }, () => post(server, token, 1, large)));
}

test("a connection on which nothing is ever sent is closed after 15 s, and one between two requests is not", async () => {
  const clock = new TestClock();
  await using server = await startServer({}, { clock });
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  expect(await statusOf(server, "/live", { agent })).toBe(200);
  const [kept] = Object.values(agent.freeSockets).flatMap((sockets) => sockets ?? []);
  const silent = await open(server);
  clock.advance(10_000);
  expect(await statusOf(server, "/live")).toBe(200);
  expect(silent.closed).toBe(false);
  clock.advance(10_000);
  silent.resume();
  await within(5_000, "the close", silent.ended);
  expect(await statusOf(server, "/live", { agent })).toBe(200);
  expect(kept?.closed).toBe(false);
  agent.destroy();
});

test("answers that nobody reads are not made ahead, and end their connection after 30 s, and no other", async () => {
  const clock = new TestClock();
  await using server = await startServer({}, { clock });
  await fill(server);
  const witness = await openPlain(server);
  const stuck = await open(server);
  stuck.pause();
  largestBacklog();
  stuck.write(page.repeat(20));
  while (waitingConnections() === 0) await witness.breathe();
  await settle(witness);
  // One answer waits, whatever else was asked for.
  expect(largestBacklog()).toBeLessThan(1.5 * 1024 * 1024);
  await pass(clock, 25_000, witness);
  expect(waitingConnections()).toBe(1);
  await pass(clock, 15_000, witness);
  expect(waitingConnections()).toBe(0);
  stuck.resume();
  await within(5_000, "the close", stuck.ended);
  await witness.breathe();
  expect(witness.ws.readyState).toBe(witness.ws.OPEN);
});

test("one who reads again within 30 s gets all answers", async () => {
  const clock = new TestClock();
  await using server = await startServer({}, { clock });
  await fill(server);
  const witness = await openPlain(server);
  const slow = await open(server);
  slow.pause();
  slow.write(page.repeat(19) + page.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n"));
  while (waitingConnections() === 0) await witness.breathe();
  await pass(clock, 20_000, witness);
  let text = "";
  slow.setEncoding("latin1").on("data", (data) => {
    text += data;
  });
  slow.resume();
  await within(10_000, "the close", slow.ended);
  expect(text.match(/HTTP\/1\.1 200 OK/g)).toHaveLength(20);
});

test("one who takes a large answer slowly gets all of it, however long that takes", async () => {
  const clock = new TestClock();
  const sockets = new OpenSockets(clock, () => ({ address: "127.0.0.1", local: true }));
  const step = 8 * 1024 * 1024;
  const size = 6 * step;
  const server = createServer((_request, response) => {
    sockets.expect(response);
    response.end(Buffer.alloc(size));
  });
  server.on("connection", (socket) => sockets.add(socket));
  await once(server.listen(0, "127.0.0.1"), "listening");
  const slow = connect((server.address() as AddressInfo).port, "127.0.0.1");
  slow.write("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  let taken = 0;
  for await (const data of slow) {
    // It reads nothing more until 20 s have passed.
    if (Math.floor(taken / step) < Math.floor((taken + data.length) / step)) clock.advance(20_000);
    taken += data.length;
  }
  expect(taken).toBeGreaterThan(size);
  sockets.stop();
  server.close();
});

test("two hundred requests may wait on one connection; who sends more of them at once is cut off", async () => {
  await using server = await startServer();
  const live = "GET /live HTTP/1.1\r\nHost: a\r\n\r\n";
  const patient = await open(server);
  let text = "";
  patient.setEncoding("latin1").on("data", (data) => {
    text += data;
  });
  patient.write(live.repeat(100) + live.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n"));
  await within(5_000, "the close", patient.ended);
  expect(text.match(/HTTP\/1\.1 200 OK/g)).toHaveLength(101);
  const greedy = await open(server);
  greedy.resume();
  greedy.write(live.repeat(1_000));
  await within(5_000, "the close", greedy.ended);
  expect(await statusOf(server, "/live")).toBe(200);
});

test("requests that came together are answered in turns, with room for others in between", async () => {
  await using server = await startServer();
  const greedy = await open(server);
  let answers = 0;
  greedy.setEncoding("latin1").on("data", (data: string) => {
    answers += data.match(/HTTP\/1\.1 200/g)?.length ?? 0;
  });
  greedy.write("GET /live HTTP/1.1\r\nHost: a\r\n\r\n".repeat(150));
  await once(greedy, "data");
  expect(await statusOf(server, "/live")).toBe(200);
  expect(answers).toBeLessThan(100);
  greedy.destroy();
});

test("pages that one address asks for at once on many connections do not pile up, and keep nobody else waiting", async () => {
  await using server = await startServer();
  await fill(server);
  const witness = await openPlain(server);
  const calls = 20;
  const paths = Array.from({ length: calls }, () => "message.list").join(",");
  const stuck = await Promise.all(Array.from({ length: 60 }, () => open(server, { localAddress: "127.0.0.66" })));
  let text = "";
  for (const socket of stuck) {
    socket.pause();
    socket.setEncoding("latin1").on("data", (data: string) => {
      text += data.match(/"TOO_MANY_REQUESTS"/g)?.join() ?? "";
    });
    socket.write(`GET /trpc/${paths}?batch=1 HTTP/1.1\r\nHost: localhost\r\n\r\n`);
  }
  const refused = async () => {
    while ((await statusOf(server, "/message?limit=1", { localAddress: "127.0.0.66" })) !== 429) await witness.breathe();
  };
  await within(15_000, "the refusal", refused());
  let before: number;
  do {
    before = totalBacklog();
    await settle(witness);
  } while (totalBacklog() > before);
  expect(totalBacklog()).toBeLessThan(32 * 1024 * 1024);
  expect(await statusOf(server, "/message?limit=1", { localAddress: "127.0.0.1" })).toBe(200);
  for (const socket of stuck) socket.resume();
  while (!text.includes("TOO_MANY_REQUESTS")) await witness.breathe();
  for (const socket of stuck) socket.destroy();
}, 30_000);

test("an address with 16 MiB of unread answers gets no more of them; others do, and so does it once they are gone", async () => {
  const clock = new TestClock();
  await using server = await startServer({}, { clock });
  await fill(server);
  const witness = await openPlain(server);
  const stuck = await Promise.all(Array.from({ length: 24 }, () => open(server, { localAddress: "127.0.0.66" })));
  for (const socket of stuck) {
    socket.pause();
    socket.write(page.repeat(8));
  }
  const list = (localAddress: string) => statusOf(server, "/message?limit=1", { localAddress });
  const refused = async () => {
    for (;;) {
      clock.advance(100);
      if ((await list("127.0.0.66")) === 429) return;
      await witness.breathe();
    }
  };
  await within(15_000, "the refusal", refused());
  expect(await list("127.0.0.1")).toBe(200);
  for (const { method, path } of operations) {
    const answer = await ask(server, method, path.replaceAll(/\{\w+\}/g, "1"), "127.0.0.66");
    expect(answer.status, `${method} ${path}`).toBe(429);
    holdAgainstDocument(method, path, answer);
  }
  expect(await statusOf(server, "/trpc/channel.list", { localAddress: "127.0.0.66" })).toBe(429);
  expect(await statusOf(server, "/live", { localAddress: "127.0.0.66" })).toBe(200);
  await pass(clock, 40_000, witness);
  expect(waitingConnections()).toBe(0);
  expect(await list("127.0.0.66")).toBe(200);
  for (const socket of stuck) socket.destroy();
}, 30_000);

test("who is present over an HTTP stream and gone without a word leaves within 35 s; who is there stays", async () => {
  const clock = new TestClock();
  await using server = await startServer({}, { clock });
  const [dead, alive] = [await signUp(server, "dead"), await signUp(server, "alive")];
  const witness = await openPlain(server);
  const movements = () => witness.inbox.items.filter(({ event }) => event === "channel movement").map(({ data }) => data.users);
  const api = createTRPCClient<AppRouter>({
    links: [httpSubscriptionLink({ url: `${server.restUrl}/trpc`, EventSource, connectionParams: () => ({ auth: alive.token }) })],
  });
  const seen = new Inbox<number[]>();
  const states = new Inbox<string>();
  const subscription = api.channel.presence.subscribe(
    { id: 1 },
    { onData: ({ users }) => seen.push([...users]), onConnectionStateChange: ({ state }) => states.push(state) },
  );
  await seen.take("oneself", (users) => users.includes(alive.id));
  clock.advance(1_000);

  const gone = await open(server);
  gone.write(
    `GET /trpc/channel.presence?input=%7B%22id%22%3A1%7D HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${dead.token}\r\n\r\n`,
  );
  await once(gone, "data");
  gone.pause();
  const users = async () => (await request(server, "GET", "/channel/1/users")).body.users;
  while ((await users()).length < 2) clock.advance(50);
  await pass(clock, 25_000, witness);
  // The one that is there comes back by itself.
  await states.count("coming back", 2, (state) => state === "pending", 15_000);
  await pass(clock, 10_000, witness);
  expect(await users()).toEqual([alive.id]);
  await witness.inbox.take("the movement", ({ event, data }) => event === "channel movement" && String(data.users) === String([alive.id]));
  await witness.breathe();
  // The witness was never told that the one who stayed had left.
  expect(movements().filter((list) => list.length > 0 && !list.includes(alive.id))).toEqual([]);
  expect(movements().filter((list) => list.length === 0)).toEqual([]);
  subscription.unsubscribe();
  gone.destroy();
}, 40_000);
