import { afterAll, beforeAll, expect, test } from "vitest";
import type { KeenchatEvent } from "../client/src/client.ts";
import { createKeenchatClient } from "../client/src/client.ts";
import {
  useChannel,
  useChannels,
  useConnection,
  useEvents,
  useMessages,
  usePresence,
  useSession,
  useTyping,
  useUser,
} from "../client/src/react.ts";
import { signUpClient } from "./support/clients.ts";
import { password } from "./support/http.ts";
import { createNetwork } from "./support/network.ts";
import { renderHook } from "./support/react.ts";
import { startServer, type TestServer } from "./support/server.ts";
import { Inbox } from "./support/wait.ts";

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.close());

const texts = (messages: readonly { message_text: string }[]) => messages.map(({ message_text }) => message_text);

test("useMessages shows what was there, what comes, what changes and what goes, of its channel alone", async () => {
  const ann = await signUpClient(server, "ann");
  const channel = await ann.channel.post({ title: "messages" });
  const post = (message_text: string, channel_id = channel.id) => ann.message.post({ channel_id, message_text });
  const first = await post("first");
  const { values, unmount } = renderHook(createKeenchatClient({ url: server.restUrl }), () => useMessages(channel.id));
  await values.take("what was there", ({ status, messages }) => status === "loaded" && messages.length === 1);
  await post("elsewhere", 1);
  const second = await post("second");
  await values.take("what comes", ({ messages }) => texts(messages).join() === "first,second");
  await ann.message.put({ id: first.id, message_text: "changed" });
  await values.take("what changes", ({ messages }) => texts(messages).join() === "changed,second");
  await ann.message.delete({ id: second.id });
  await values.take("what goes", ({ messages }) => texts(messages).join() === "changed");
  await ann.channel.delete({ id: channel.id });
  await values.take("the channel's end", ({ status, messages }) => status === "gone" && messages.length === 0);
  expect(values.items.flatMap(({ messages }) => texts(messages))).not.toContain("elsewhere");
  unmount();
});

test("a page that was read before a change does not undo it, however late it comes", async () => {
  const ari = await signUpClient(server, "ari");
  const { id } = await ari.channel.post({ title: "late" });
  const [kept, removed] = [
    await ari.message.post({ channel_id: id, message_text: "kept" }),
    await ari.message.post({ channel_id: id, message_text: "removed" }),
  ];
  let release = () => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  let read = () => {};
  const wasRead = new Promise<void>((resolve) => {
    read = resolve;
  });
  const late: typeof fetch = async (input, init) => {
    const response = await fetch(input, init);
    read();
    await released;
    return response;
  };
  const hook = renderHook(createKeenchatClient({ url: server.restUrl, fetch: late }), () => useMessages(id));
  await wasRead;
  await ari.message.delete({ id: removed.id });
  await ari.message.put({ id: kept.id, message_text: "changed" });
  await hook.values.take("the change", ({ messages }) => texts(messages).join() === "changed");
  release();
  const { messages } = await hook.values.take("the page", ({ status }) => status === "loaded");
  expect(texts(messages)).toEqual(["changed"]);
  hook.unmount();
});

test("what useMessages posts is shown at once, then in the place where it belongs, never twice", async () => {
  const bea = await signUpClient(server, "bea");
  const { id } = await bea.channel.post({ title: "optimistic" });
  const hook = renderHook(bea, () => useMessages(id));
  const { post } = await hook.values.take("loaded", ({ status }) => status === "loaded");
  const written = Array.from({ length: 5 }, (_, index) => `message ${index}`);
  for (const text of written) post(text);
  await hook.values.take("all of them pending or there", ({ pending, messages }) => pending.length + messages.length === 5);
  await hook.values.take("all of them there", ({ pending, messages }) => pending.length === 0 && messages.length === 5);
  expect(texts(hook.current.messages)).toEqual(written);
  for (const { messages, pending } of hook.values.items) {
    const all = [...messages, ...pending].map(({ client_message_id }) => client_message_id);
    expect(new Set(all).size).toBe(all.length);
  }
  hook.unmount();
});

test("a refused message stays pending with its error, until it is given up", async () => {
  const cid = await signUpClient(server, "cid");
  const hook = renderHook(cid, () => useMessages(1));
  const { post, discard } = await hook.values.take("loaded", ({ status }) => status === "loaded");
  post(" ");
  const { pending } = await hook.values.take("the refusal", ({ pending: [first] }) => first?.error !== undefined);
  expect(pending).toMatchObject([{ message_text: " ", error: { code: "BAD_REQUEST", issues: [{ path: ["message_text"] }] } }]);
  discard(pending[0]?.client_message_id ?? "");
  await expect.poll(() => hook.current.pending).toEqual([]);
  hook.unmount();
});

test("useMessages reads older pages on demand, without holes", async () => {
  const dot = await signUpClient(server, "dot");
  const { id } = await dot.channel.post({ title: "pages" });
  for (let count = 0; count < 120; count += 1) await dot.message.post({ channel_id: id, message_text: String(count) });
  let olderPages = 0;
  const counting: typeof fetch = async (input, init) => {
    const response = await fetch(input, init);
    if (String(input).includes("before")) olderPages += 1;
    return response;
  };
  const hook = renderHook(createKeenchatClient({ url: server.restUrl, fetch: counting }), () => useMessages(id));
  const newest = await hook.values.take("the newest page", ({ status }) => status === "loaded");
  expect(texts(newest.messages)).toEqual(Array.from({ length: 50 }, (_, index) => String(70 + index)));
  const { loadOlder } = hook.current;
  // The second call waits for the page that the first one reads.
  void loadOlder();
  await loadOlder();
  expect(olderPages).toBe(1);
  await hook.values.take("the second page", ({ messages, loadingOlder }) => messages.length === 100 && !loadingOlder);
  await loadOlder();
  await expect.poll(() => hook.current.messages.length).toBe(120);
  expect(texts(hook.current.messages)).toEqual(Array.from({ length: 120 }, (_, index) => String(index)));
  expect(hook.current.hasOlder).toBe(false);
  hook.unmount();
});

test("useChannels and useChannel follow what becomes of channels", async () => {
  const eve = await signUpClient(server, "eve");
  const { id } = await eve.channel.post({ title: "before" });
  const all = renderHook(eve, () => useChannels());
  const one = renderHook(eve, () => useChannel(id));
  await one.values.take("the channel", ({ channel }) => channel?.title === "before");
  await all.values.take("the channels", ({ channels }) => channels.some(({ title }) => title === "before"));
  await eve.channel.put({ id, title: "after" });
  await one.values.take("its new title", ({ channel }) => channel?.title === "after");
  await all.values.take("the new title", ({ channels }) => channels.some(({ title }) => title === "after"));
  await eve.channel.delete({ id });
  await one.values.take("its end", ({ status }) => status === "gone");
  await expect.poll(() => all.current.channels.map((channel) => channel.id)).not.toContain(id);
  one.unmount();
  all.unmount();
});

test("useChannel of a channel that is not there is gone, and useUser finds a name", async () => {
  const fay = await signUpClient(server, "fay");
  const { user_id } = await fay.auth.session();
  const channel = renderHook(fay, () => useChannel(999_999));
  const user = renderHook(fay, () => useUser(user_id));
  await channel.values.take("nothing", ({ status }) => status === "gone");
  await user.values.take("the name", ({ user: found }) => found?.username === "fay");
  channel.unmount();
  user.unmount();
});

test("usePresence is in the channel while it is shown, and useTyping tells who types", async () => {
  const [gus, hal] = [await signUpClient(server, "gus"), await signUpClient(server, "hal")];
  const [gusId, halId] = [(await gus.auth.session()).user_id, (await hal.auth.session()).user_id];
  const { id } = await gus.channel.post({ title: "here" });
  const atGus = renderHook(gus, () => usePresence(id));
  const atHal = renderHook(hal, () => usePresence(id));
  await atGus.values.take("both", (users) => users.join() === [gusId, halId].sort((a, b) => a - b).join());

  const typing = renderHook(gus, () => useTyping(id));
  const connection = renderHook(gus, () => useConnection());
  await connection.values.take("live", (state) => state === "live");
  const { start, stop } = hal.typing(id);
  start();
  await typing.values.take("who types", ({ users }) => users.join() === String(halId));
  stop();
  await expect.poll(() => typing.current.users, { timeout: 5_000 }).toEqual([]);

  atHal.unmount();
  await expect.poll(() => atGus.current, { timeout: 5_000 }).toEqual([gusId]);
  for (const hook of [atGus, typing, connection]) hook.unmount();
});

test("where nothing is told to strangers the hooks say so, and show everything once somebody signs in", async () => {
  await using closed = await startServer({ ANONYMOUS_READ: "false" });
  const ivy = await signUpClient(closed, "ivy");
  await ivy.message.post({ channel_id: 1, message_text: "for members" });
  const visitor = createKeenchatClient({ url: closed.restUrl });
  const hook = renderHook(visitor, () => useMessages(1));
  await hook.values.take("the refusal", ({ status, error }) => status === "failed" && error?.code === "UNAUTHORIZED");
  await visitor.auth.login({ username: "ivy", password });
  await hook.values.take("the messages", ({ status, messages }) => status === "loaded" && texts(messages).join() === "for members");
  hook.unmount();
});

test("a long reading at the end is let go of, and comes back when it is scrolled to", async () => {
  const lea = await signUpClient(server, "lea");
  const { id } = await lea.channel.post({ title: "long" });
  for (let sent = 0; sent < 1_000; sent += 50)
    await Promise.all(Array.from({ length: 50 }, (_, index) => lea.message.post({ channel_id: id, message_text: String(sent + index) })));
  const ids: number[] = [];
  for await (const page of lea.message.pages({ channel_id: id, limit: 200 })) ids.unshift(...page.map((message) => message.id));
  const hook = renderHook(lea, () => useMessages(id));
  await hook.values.take("the newest page", ({ status }) => status === "loaded");
  hook.current.trim();
  expect(hook.current.messages.length).toBe(50);
  for (let length = 50; length < 850; length += 50) {
    await hook.current.loadOlder();
    await expect.poll(() => hook.current.messages.length).toBe(length + 50);
  }
  hook.current.trim();
  await expect.poll(() => hook.current.messages.map((message) => message.id)).toEqual(ids.slice(-400));
  expect(hook.current.hasOlder).toBe(true);
  await hook.current.loadOlder();
  await expect.poll(() => hook.current.messages.map((message) => message.id)).toEqual(ids.slice(-450));
  hook.unmount();
});

test("the names of a page are asked for at once, and the same one once", async () => {
  const people = await Promise.all(["mia", "max", "moe"].map((name) => signUpClient(server, name)));
  const ids = (await Promise.all(people.map((each) => each.auth.session()))).map(({ user_id }) => user_id);
  const asked: string[] = [];
  const counting: typeof fetch = (input, init) => {
    asked.push(String(input));
    return fetch(input, init);
  };
  const client = createKeenchatClient({ url: server.restUrl, fetch: counting });
  const [one = 0, two = 0, three = 0] = ids;
  const useNames = () => [useUser(one), useUser(two), useUser(three), useUser(one), useUser(999_999)] as const;
  const hook = renderHook(client, useNames);
  await hook.values.take("all names", (states) => states.every(({ status }) => status !== "loading"));
  expect(hook.current.map(({ user }) => user?.username)).toEqual(["mia", "max", "moe", "mia", undefined]);
  expect(hook.current[4].status).toBe("gone");
  expect(asked.length).toBeLessThanOrEqual(2);
  hook.unmount();
});

test("useEvents hears everything from `ready` on, whoever came first", async () => {
  const nia = await signUpClient(server, "nia");
  const [first, second] = [new Inbox<KeenchatEvent>(), new Inbox<KeenchatEvent>()];
  const early = renderHook(nia, () => useEvents((event) => first.push(event)));
  await first.take("ready", ({ event }) => event === "ready");
  const late = renderHook(nia, () => useEvents((event) => second.push(event)));
  await second.take("ready", ({ event }) => event === "ready");
  const { id } = await nia.channel.post({ title: "heard" });
  for (const inbox of [first, second]) await inbox.take("the channel", ({ event, data }) => event === "post channel" && data.id === id);
  expect(second.items[0]?.event).toBe("ready");
  late.unmount();
  await expect.poll(() => second.items.length).toBe(second.items.length);
  await nia.channel.delete({ id });
  await first.take("its end", ({ event, data }) => event === "delete channel" && data.id === id);
  expect(second.items.map(({ event }) => event)).not.toContain("delete channel");
  early.unmount();
});

test("useSession tells who is signed in, keeps asking a server that is away, and hears of the end", async () => {
  const ora = await signUpClient(server, "ora");
  const network = await createNetwork(server);
  network.refuse();
  const client = createKeenchatClient({ url: network.url, token: ora.token.current ?? "" });
  const hook = renderHook(client, () => useSession());
  await hook.values.take("the failure", ({ status, error }) => status === "opening" && error?.code === "UNREACHABLE", 15_000);
  network.restore();
  await hook.values.take("who it is", ({ status, self }) => status === "signed in" && self?.username === "ora", 15_000);
  await client.auth.logout();
  await hook.values.take("the end", ({ status }) => status === "signed out");
  hook.unmount();
  network.close();
});
