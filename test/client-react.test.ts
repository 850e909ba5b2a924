import { afterAll, beforeAll, expect, test } from "vitest";
import { createKeenchatClient } from "../client/src/client.ts";
import { useChannel, useChannels, useConnection, useMessages, usePresence, useTyping, useUser } from "../client/src/react.ts";
import { signUpClient } from "./support/clients.ts";
import { password } from "./support/http.ts";
import { createNetwork } from "./support/network.ts";
import { renderHook } from "./support/react.ts";
import { startServer, type TestServer } from "./support/server.ts";

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
  const hook = renderHook(createKeenchatClient({ url: server.restUrl }), () => useMessages(id));
  const newest = await hook.values.take("the newest page", ({ status }) => status === "loaded");
  expect(texts(newest.messages)).toEqual(Array.from({ length: 50 }, (_, index) => String(70 + index)));
  for (let page = 0; page < 2; page += 1) await hook.current.loadOlder();
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

test("what was written goes out by itself once the server can be reached, but never as somebody else", async () => {
  const [jim, kim] = [await signUpClient(server, "jim"), await signUpClient(server, "kim")];
  const { id } = await jim.channel.post({ title: "later" });
  const network = await createNetwork(server);
  // Signing in finds a way around the network.
  const around: typeof fetch = (input, init) =>
    fetch(String(input).includes("auth.login") ? String(input).replace(network.url, server.restUrl) : input, init);
  const local = createKeenchatClient({ url: network.url, token: jim.token.current ?? "", fetch: around });
  const hook = renderHook(local, () => useMessages(id));
  const { post } = await hook.values.take("loaded", ({ status }) => status === "loaded");
  network.refuse();
  network.cut();
  post("as Jim");
  await hook.values.take("the failure", ({ pending: [first] }) => first?.error?.code === "UNREACHABLE");
  network.restore();
  await hook.values.take("the message", ({ messages, pending }) => texts(messages).join() === "as Jim" && pending.length === 0, 20_000);

  network.refuse();
  network.cut();
  post("still as Jim");
  await hook.values.take(
    "the second failure",
    ({ pending: [first] }) => first?.message_text === "still as Jim" && first.error !== undefined,
  );
  await local.auth.login({ username: "kim", password });
  network.restore();
  await kim.message.post({ channel_id: id, message_text: "marker" });
  await hook.values.take("the marker", ({ messages }) => texts(messages).includes("marker"), 20_000);
  expect(texts(await kim.message.list({ channel_id: id }))).toEqual(["as Jim", "marker"]);
  expect(hook.current.pending).toEqual([]);
  await local.auth.login({ username: "jim", password });
  await hook.values.take("Jim's message", ({ messages }) => texts(messages).includes("still as Jim"), 20_000);
  const { user_id } = await jim.auth.session();
  expect(hook.current.messages.find(({ message_text }) => message_text === "still as Jim")).toMatchObject({ user_id });
  hook.unmount();
  network.close();
});
