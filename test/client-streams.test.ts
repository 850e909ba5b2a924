import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { WebSocket } from "ws";
import {
  type ChannelUsers,
  createKeenchatClient,
  type KeenchatClient,
  KeenchatError,
  type KeenchatEvent,
  type TokenStorage,
  type WebSocketClass,
} from "../client/src/client.ts";
import { followEvents, signUpClient } from "./support/clients.ts";
import { password } from "./support/http.ts";
import { startServer, type TestServer } from "./support/server.ts";
import { Inbox, until } from "./support/wait.ts";

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.close());

test("an iteration yields each event, and leaving it closes the connection", async () => {
  const ann = await signUpClient(server, "ann");
  const seen: string[] = [];
  for await (const event of ann.events({ channel_id: [1] })) {
    if (event.event === "ready") {
      await ann.message.post({ channel_id: 2, message_text: "elsewhere" });
      await ann.message.post({ channel_id: 1, message_text: "here" });
      await ann.message.post({ channel_id: 1, message_text: "end" });
    }
    if (event.event !== "post message") continue;
    seen.push(event.data.message_text);
    if (event.data.message_text === "end") break;
  }
  expect(seen).toEqual(["here", "end"]);
  expect(ann.connection.current).toBe("idle");
});

test("a signal ends an iteration, one that waits too", async () => {
  const keenchat = createKeenchatClient({ url: server.restUrl });
  const controller = new AbortController();
  const seen: KeenchatEvent[] = [];
  for await (const event of keenchat.events({ signal: controller.signal })) {
    seen.push(event);
    queueMicrotask(() => controller.abort());
  }
  expect(seen).toHaveLength(1);
  for await (const event of keenchat.events({ signal: controller.signal })) seen.push(event);
  expect(seen).toHaveLength(1);
});

test("a stream that the server refuses ends with its error, iterated or listened to", async () => {
  const keenchat = createKeenchatClient({ url: server.restUrl });
  await expect(keenchat.presence(1)[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: "UNAUTHORIZED", status: 401 });
  const error = await new Promise((resolve) => keenchat.presence(1).subscribe(() => {}, resolve));
  expect(error).toBeInstanceOf(KeenchatError);
  const dora = await signUpClient(server, "dora");
  await expect(dora.presence(999_999)[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: "NOT_FOUND" });
});

test("presence is being there: others see it come and go, and it ends with the channel", async () => {
  const [ben, cleo] = [await signUpClient(server, "ben"), await signUpClient(server, "cleo")];
  const [benId, cleoId] = [(await ben.auth.session()).user_id, (await cleo.auth.session()).user_id];
  const { id } = await ben.channel.post({ title: "there" });
  const inbox = new Inbox<ChannelUsers>();
  const ended = new Promise<unknown>((resolve) => ben.presence(id).subscribe((users) => inbox.push(users), resolve));
  await inbox.take("oneself", ({ users }) => users.join() === String(benId));
  const leave = cleo.presence(id).subscribe(() => {});
  await inbox.take("both", ({ users }) => users.join() === `${benId},${cleoId}`);
  leave();
  await expect.poll(() => inbox.items.at(-1)?.users, { timeout: 5_000 }).toEqual([benId]);
  await ben.channel.delete({ id });
  expect(await ended).toBeUndefined();
});

test("typing speaks to the server once for many keystrokes, and stops in order", async () => {
  const calls: string[] = [];
  const counting: typeof fetch = (input, init) => {
    calls.push(new URL(String(input)).pathname);
    return fetch(input, init);
  };
  const gus = await signUpClient(server, "gus", { fetch: counting });
  const inbox = await followEvents(createKeenchatClient({ url: server.restUrl }));
  calls.length = 0;
  const typing = gus.typing(1);
  typing.stop();
  for (let key = 0; key < 50; key += 1) typing.start();
  typing.stop();
  await inbox.take("the stop", ({ event }) => event === "stop typing");
  expect(calls).toEqual(["/trpc/channel.startTyping", "/trpc/channel.stopTyping"]);
  expect(inbox.items.map(({ event }) => event).filter((event) => event.endsWith("typing"))).toEqual(["start typing", "stop typing"]);
});

test("typing goes on being told after the wall clock was put back", async () => {
  const calls: string[] = [];
  const counting: typeof fetch = (input, init) => {
    calls.push(new URL(String(input)).pathname);
    return fetch(input, init);
  };
  const wren = await signUpClient(server, "wren", { fetch: counting });
  calls.length = 0;
  const typing = wren.typing(1);
  typing.start();
  const wallClock = vi.spyOn(Date, "now").mockImplementation(() => 0);
  try {
    await until("the second start", 10_000, () => {
      typing.start();
      return calls.length === 2;
    });
  } finally {
    wallClock.mockRestore();
  }
  expect(calls).toEqual(["/trpc/channel.startTyping", "/trpc/channel.startTyping"]);
});

/** Everything one gets at from a loop that stands still until it may go on. */
async function readSlowly(reader: KeenchatClient, channelId: number, count: number, mayGoOn: Promise<unknown>) {
  const events: KeenchatEvent[] = [];
  for await (const event of reader.events({ channel_id: [channelId] })) {
    events.push(event);
    if (event.event === "ready") await mayGoOn;
    if (events.filter(({ event }) => event === "post message").length === count) return events;
  }
  return events;
}

test("a loop that stands still holds little, and then gets all events once and in order", { timeout: 60_000 }, async () => {
  const writer = await signUpClient(server, "yan");
  const channel = await writer.channel.post({ title: "slow" });
  const received: number[] = [];
  class CountingWebSocket extends WebSocket {
    override emit(name: string | symbol, ...rest: unknown[]): boolean {
      if (name === "message") received.push(String(rest[0]).length);
      return super.emit(name, ...rest);
    }
  }
  const reader = createKeenchatClient({ url: server.restUrl, WebSocket: CountingWebSocket as unknown as WebSocketClass });
  const { promise: mayGoOn, resolve: goOn } = Promise.withResolvers<void>();
  const reading = readSlowly(reader, channel.id, 300, mayGoOn);
  await until("the reading", 5_000, () => reader.connection.current === "live");
  const ids: number[] = [];
  const text = "slow ".repeat(2_000);
  for (let count = 0; count < 300; count += 1) ids.push((await writer.message.post({ channel_id: channel.id, message_text: text })).id);
  await until("the pause", 10_000, () => reader.connection.current === "idle");
  const held = received.reduce((sum, length) => sum + length, 0);
  expect(held).toBeLessThan(2 * 1_048_576);
  goOn();
  const events = await reading;
  expect(events.flatMap((event) => (event.event === "post message" ? [event.data.id] : []))).toEqual(ids);
});

test("pages walk from the newest message to the first, each once", async () => {
  const hal = await signUpClient(server, "hal");
  const { id } = await hal.channel.post({ title: "pages" });
  const posted: number[] = [];
  for (let count = 0; count < 25; count += 1) posted.push((await hal.message.post({ channel_id: id, message_text: String(count) })).id);
  const pages: number[][] = [];
  for await (const page of hal.message.pages({ channel_id: id, limit: 10 })) pages.push(page.map((message) => message.id));
  expect(pages).toEqual([posted.slice(15), posted.slice(5, 15), posted.slice(0, 5)]);
  for await (const page of hal.message.pages({ channel_id: 999_999 })) expect(page).toBe("never there");
});

test("a message has a client_message_id of its own, or the one it was given", async () => {
  const ida = await signUpClient(server, "ida");
  const [one, two] = [
    await ida.message.post({ channel_id: 1, message_text: "a" }),
    await ida.message.post({ channel_id: 1, message_text: "a" }),
  ];
  expect(one.client_message_id).toMatch(/^[0-9a-f]{32}$/);
  expect(two.client_message_id).not.toBe(one.client_message_id);
  const given = { channel_id: 1, message_text: "a", client_message_id: "mine" };
  expect(await ida.message.post(given)).toEqual(await ida.message.post(given));
});

for (const [kind, username, later] of [
  ["a synchronous", "syna", (value: string | null) => value],
  ["an asynchronous", "asyna", async (value: string | null) => value],
] as const) {
  test(`${kind} storage has the token from signing in to signing out`, async () => {
    let stored: string | null = null;
    const tokenStorage: TokenStorage = {
      get: () => later(stored),
      set(token) {
        stored = token;
      },
    };
    await signUpClient(server, username, { tokenStorage });
    expect(stored).toBeTypeOf("string");
    const returning = createKeenchatClient({ url: server.restUrl, tokenStorage });
    expect(await returning.auth.session()).toMatchObject({ username });
    await returning.auth.logout();
    await expect.poll(() => stored).toBeNull();
  });
}

test("a page that is signed out does not take another page's token out of the storage they share", async () => {
  let stored: string | null = null;
  const tokenStorage: TokenStorage = {
    get: () => stored,
    set(token) {
      stored = token;
    },
  };
  const first = await signUpClient(server, "lea", { tokenStorage });
  const second = createKeenchatClient({ url: server.restUrl, tokenStorage });
  await first.auth.logout();
  await first.auth.login({ username: "lea", password });
  await expect(second.auth.session()).rejects.toMatchObject({ code: "UNAUTHORIZED" });
  expect(second.token.current).toBeNull();
  expect(stored).toBe(first.token.current);
});

test("signing out of a session that is over already is no error", async () => {
  const mia = await signUpClient(server, "mia");
  await createKeenchatClient({ url: server.restUrl, token: mia.token.current ?? "" }).auth.logout();
  await mia.auth.logout();
  expect(mia.token.current).toBeNull();
});

test("a token the server does not take is forgotten, and does not keep one from signing in", async () => {
  const jan = await signUpClient(server, "jan");
  const stale = createKeenchatClient({ url: server.restUrl, token: `${jan.token.current}x` });
  await stale.auth.login({ username: "jan", password });
  expect(await stale.auth.session()).toMatchObject({ username: "jan" });
  const other = createKeenchatClient({ url: server.restUrl, token: "no token" });
  await expect(other.channel.list()).rejects.toMatchObject({ code: "UNAUTHORIZED" });
  expect(other.token.current).toBeNull();
  expect(await other.channel.list()).not.toEqual([]);
});

test("a stream forgets a token that is no longer good, and goes on as nobody", async () => {
  const zoe = await signUpClient(server, "zoe");
  const stale = createKeenchatClient({ url: server.restUrl, token: `${zoe.token.current}x` });
  const inbox = await followEvents(stale);
  expect(stale.token.current).toBeNull();
  const { id } = await zoe.message.post({ channel_id: 1, message_text: "public" });
  await inbox.take("the message", ({ event, data }) => event === "post message" && data.id === id);
  const other = createKeenchatClient({ url: server.restUrl, token: `${zoe.token.current}x` });
  await expect(other.presence(1)[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: "UNAUTHORIZED" });
  stale.close();
});

test("signing in as somebody else gives open streams the new identity, and they go on where they were", async () => {
  await using closed = await startServer({ ANONYMOUS_READ: "false" });
  const [kay, lou] = [await signUpClient(closed, "kay"), await signUpClient(closed, "lou")];
  const louId = (await lou.auth.session()).user_id;
  const events = await followEvents(kay);
  const presence = new Inbox<ChannelUsers>();
  kay.presence(1).subscribe((users) => presence.push(users));
  const before = await lou.message.post({ channel_id: 1, message_text: "before" });
  await kay.auth.login({ username: "lou", password });
  const after = await lou.message.post({ channel_id: 1, message_text: "after" });
  const messages = await events.count("both messages", 2, ({ event }) => event === "post message");
  expect(messages.map(({ data }) => data)).toEqual([before, after]);
  await presence.take("the new identity alone", ({ users }) => users.join() === String(louId));
  kay.close();
});

test("a stranger hears nothing where only members may read", async () => {
  await using closed = await startServer({ ANONYMOUS_READ: "false" });
  const nobody = createKeenchatClient({ url: closed.restUrl });
  await expect(nobody.events()[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: "UNAUTHORIZED" });
});

test("a message that is sent again is still its author's, whoever signed in meanwhile", async () => {
  let lost = false;
  const losing: typeof fetch = async (input, init) => {
    if (lost || !String(input).includes("message.post")) return fetch(input, init);
    lost = true;
    await author.auth.login({ username: "ora", password });
    throw new TypeError("The network is gone.");
  };
  await signUpClient(server, "ora");
  const author = await signUpClient(server, "ned", { fetch: losing });
  const { user_id } = await author.auth.session();
  const message = await author.message.post({ channel_id: 1, message_text: "by Ned" });
  expect(message.user_id).toBe(user_id);
  expect(await author.auth.session()).toMatchObject({ username: "ora" });
});

test("a call is given up at a signal's word, and says so", async () => {
  const keenchat = createKeenchatClient({ url: server.restUrl });
  await expect(keenchat.channel.list({}, { signal: AbortSignal.abort(new Error("changed my mind")) })).rejects.toThrow("changed my mind");
});
