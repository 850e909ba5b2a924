import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { WebSocket } from "ws";
import { type ConnectionState, createKeenchatClient, type KeenchatClient, type KeenchatEvent } from "../client/src/client.ts";
import { followEvents, signUpClient } from "./support/clients.ts";
import { createDatabase } from "./support/database.ts";
import { createNetwork, type Network } from "./support/network.ts";
import { startServer, type TestServer } from "./support/server.ts";
import { Inbox } from "./support/wait.ts";

const slowMs = 60_000;
const patientMs = 20_000;

/** What a browser's window tells of its network. */
const browserEvents = new EventTarget();
Object.assign(globalThis, {
  addEventListener: browserEvents.addEventListener.bind(browserEvents),
  removeEventListener: browserEvents.removeEventListener.bind(browserEvents),
});

let server: TestServer;
let writer: KeenchatClient;
let network: Network;
let reader: KeenchatClient;
let states: Inbox<ConnectionState>;

beforeAll(async () => {
  server = await startServer();
  writer = await signUpClient(server, "writer");
});
afterAll(() => server.close());

beforeEach(async () => {
  network = await createNetwork(server);
  reader = createKeenchatClient({ url: network.url });
  states = new Inbox<ConnectionState>();
  reader.connection.subscribe((state) => states.push(state));
});
afterEach(() => {
  reader.close();
  network.close();
});

const post = (text: string) => writer.message.post({ channel_id: 1, message_text: text });
const posted = (events: KeenchatEvent[]) => events.flatMap((event) => (event.event === "post message" ? [event.data.id] : []));
const isPost = (event: KeenchatEvent) => event.event === "post message";

/** Resolves when the connection is next in a state, having been in none of its kind before. */
function nextState(state: ConnectionState): Promise<ConnectionState> {
  states.items.length = 0;
  return states.take(state, (item) => item === state, patientMs);
}

test("through a network that breaks again and again every event comes once, in order", { timeout: slowMs }, async () => {
  const inbox = await followEvents(reader);
  const ids: number[] = [];
  for (let round = 0; round < 12; round += 1) {
    ids.push((await post(`before ${round}`)).id);
    const live = round % 3 === 0 ? nextState("live") : undefined;
    network.cut();
    ids.push((await post(`during ${round}`)).id);
    await live;
    ids.push((await post(`after ${round}`)).id);
  }
  await inbox.count("every message", ids.length, isPost, patientMs);
  expect(posted(inbox.items)).toEqual(ids);
});

test("what happens while a stream is away that had not seen anything yet is not lost", { timeout: slowMs }, async () => {
  const inbox = await followEvents(reader);
  network.refuse();
  network.cut();
  const { id } = await post("nobody hears");
  network.restore();
  await inbox.count("the message", 1, isPost, patientMs);
  expect(posted(inbox.items)).toEqual([id]);
});

test("the state tells of the loss, of every try, and of the catching up", { timeout: slowMs }, async () => {
  const inbox = await followEvents(reader);
  expect(states.items).toEqual(["connecting", "catching up", "live"]);
  network.refuse();
  network.cut();
  await nextState("offline");
  await post("meanwhile");
  network.restore();
  states.items.length = 0;
  await states.take("live", (state) => state === "live", patientMs);
  expect(states.items).toEqual(["catching up", "live"]);
  expect(posted(inbox.items)).toHaveLength(1);
  reader.close();
  expect(reader.connection.current).toBe("idle");
});

test("a connection that carries nothing any more is noticed and replaced", { timeout: slowMs }, async () => {
  const inbox = await followEvents(reader);
  network.swallow();
  const { id } = await post("into nothing");
  browserEvents.dispatchEvent(new Event("online"));
  await inbox.count("the message", 1, isPost, patientMs);
  expect(posted(inbox.items)).toEqual([id]);
});

/** A WebSocket that remembers its like, so that a test can close them with a code. */
function createObservedWebSocket() {
  const sockets: WebSocket[] = [];
  class ObservedWebSocket extends WebSocket {
    constructor(url: string) {
      super(url);
      sockets.push(this);
    }
  }
  return { sockets, ObservedWebSocket };
}

test("the browser's word that the network is there again cuts the waiting short", { timeout: slowMs }, async () => {
  const { sockets, ObservedWebSocket } = createObservedWebSocket();
  const local = createKeenchatClient({ url: network.url, WebSocket: ObservedWebSocket });
  await followEvents(local);
  network.refuse();
  network.cut();
  await expect.poll(() => local.connection.current, { timeout: patientMs }).toBe("offline");
  const tries = sockets.length;
  browserEvents.dispatchEvent(new Event("online"));
  expect(sockets).toHaveLength(tries + 1);
  local.close();
});

test("a socket that was left for another has no say any more", { timeout: slowMs }, async () => {
  const inbox = new Inbox<KeenchatEvent>();
  reader.events().subscribe((event) => {
    inbox.push(event);
    if (isPost(event) && posted(inbox.items).length % 10 === 5) reader.connection.reconnect();
  });
  await inbox.take("ready", ({ event }) => event === "ready");
  const messages = await Promise.all(Array.from({ length: 100 }, (_, index) => post(`burst ${index}`)));
  await inbox.count("every message", messages.length, isPost, patientMs);
  const { id } = await post("marker");
  await inbox.count("the marker", messages.length + 1, isPost, patientMs);
  expect(posted(inbox.items)).toEqual([...messages.map((message) => message.id).sort((one, other) => one - other), id]);
});

test("a server that restarts is found again, and nothing is missing", { timeout: slowMs }, async () => {
  const database = await createDatabase();
  const environment = { DATABASE_URL: database.url };
  const first = await startServer(environment);
  const local = createKeenchatClient({ url: first.restUrl });
  const inbox = await followEvents(local);
  const ann = await signUpClient(first, "ann");
  const before = await ann.message.post({ channel_id: 1, message_text: "before" });
  await inbox.count("the first message", 1, isPost);
  await first.close();
  const again = await startServer({ ...environment, PORT: new URL(first.restUrl).port });
  const after = await ann.message.post({ channel_id: 1, message_text: "after" });
  await inbox.count("both messages", 2, isPost, patientMs);
  expect(posted(inbox.items)).toEqual([before.id, after.id]);
  local.close();
  await again.close();
  await database.drop();
});

test("a session that is ended elsewhere signs out, and the public stream goes on", { timeout: slowMs }, async () => {
  const cleo = await signUpClient(server, "cleo");
  const inbox = await followEvents(cleo);
  const token = cleo.token.current ?? "";
  await createKeenchatClient({ url: server.restUrl, token }).auth.logout();
  await expect.poll(() => cleo.token.current, { timeout: patientMs }).toBeNull();
  const { id } = await post("still there");
  await inbox.count("the message", 1, isPost, patientMs);
  expect(posted(inbox.items)).toEqual([id]);
  cleo.close();
});

test("every reason of the server to close leads back to it, with nothing lost", { timeout: slowMs }, async () => {
  const { sockets, ObservedWebSocket } = createObservedWebSocket();
  const local = createKeenchatClient({ url: server.restUrl, WebSocket: ObservedWebSocket });
  const inbox = await followEvents(local);
  const ids: number[] = [];
  for (const code of [1001, 1008, 4001, 4008]) {
    const socket = sockets.at(-1);
    socket?.emit("close", code, Buffer.alloc(0));
    socket?.terminate();
    ids.push((await post(`close code ${code}`)).id);
    await inbox.count(`the message after ${code}`, ids.length, isPost, patientMs);
  }
  expect(posted(inbox.items)).toEqual(ids);
  local.close();
});

test("a message whose answer is lost is sent again and there once", { timeout: slowMs }, async () => {
  const dora = createKeenchatClient({ url: network.url, token: writer.token.current ?? "" });
  network.loseAnswerTo("POST /trpc/message.post");
  const message = await dora.message.post({ channel_id: 2, message_text: "once" });
  expect(await dora.message.list({ channel_id: 2 })).toEqual([message]);
});

test("a call that must not happen twice is not sent again", async () => {
  const edda = createKeenchatClient({ url: network.url, token: writer.token.current ?? "" });
  network.loseAnswerTo("POST /trpc/channel.post");
  await expect(edda.channel.post({ title: "once" })).rejects.toMatchObject({ code: "UNREACHABLE" });
  const channels = await writer.channel.list();
  expect(channels.filter(({ title }) => title === "once")).toHaveLength(1);
});

test("a cursor continues where another client stopped", async () => {
  const inbox = await followEvents(reader);
  const [first, second] = [await post("one"), await post("two")];
  const seen = await inbox.take("the first message", (event) => isPost(event) && posted([event])[0] === first.id);
  const later = await followEvents(createKeenchatClient({ url: server.restUrl }), { cursor: seen.id ?? "" });
  expect(posted(later.items)).toEqual([second.id]);
});

test("a cursor the server does not know is a resync, then live", async () => {
  const inbox = new Inbox<KeenchatEvent>();
  reader.events({ cursor: "no-such.cursor" }).subscribe((event) => inbox.push(event));
  const resync = await inbox.take("resync", ({ event }) => event === "resync");
  expect(resync).toMatchObject({ event: "resync", data: { reason: expect.stringMatching(/unknown|malformed/) } });
  const { id } = await post("live");
  await inbox.count("the message", 1, isPost);
  expect(posted(inbox.items)).toEqual([id]);
});
