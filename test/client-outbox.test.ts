import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { createKeenchatClient, type KeenchatOptions } from "../client/src/client.ts";
import { type PendingMessage, type PendingStorage, useMessages, usePending } from "../client/src/react.ts";
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
const written = ["one", "two", "three"];

/** What outlives a page, and can be looked into. */
class Shelf implements PendingStorage {
  readonly kept = new Map<string, PendingMessage>();
  list(userId: number) {
    return [...this.kept].filter(([key]) => key.startsWith(`${userId} `)).map(([, message]) => message);
  }
  set(userId: number, message: PendingMessage) {
    this.kept.set(`${userId} ${message.client_message_id}`, structuredClone(message));
  }
  remove(userId: number, clientMessageId: string) {
    this.kept.delete(`${userId} ${clientMessageId}`);
  }
}

/** A page of one's own: its client, and the messages of a channel in it. */
function openPage(options: KeenchatOptions, channelId: number, pendingStorage: PendingStorage) {
  const client = createKeenchatClient(options);
  return { client, hook: renderHook(client, () => useMessages(channelId), { pendingStorage }) };
}

/** A page that wrote three messages while the server was away, of which the first one arrived, and was closed then. */
async function writeAndClose(name: string) {
  const client = await signUpClient(server, name);
  const token = client.token.current ?? "";
  const { id } = await client.channel.post({ title: name });
  const shelf = new Shelf();
  const network = await createNetwork(server);
  const lossy: typeof fetch = async (input, init) => {
    if (!String(input).includes("message.post")) return fetch(input, init);
    await fetch(String(input).replace(network.url, server.restUrl), init);
    throw new TypeError("The answer was lost.");
  };
  const page = openPage({ url: network.url, token, fetch: lossy }, id, shelf);
  await page.hook.values.take("loaded", ({ status }) => status === "loaded");
  network.refuse();
  network.cut();
  for (const text of written) page.hook.current.post(text);
  await page.hook.values.take("the failure", ({ pending: [first] }) => first?.error?.code === "UNREACHABLE", 15_000);
  expect(texts(page.hook.current.pending)).toEqual(written);
  page.hook.unmount();
  page.client.close();
  network.close();
  return { client, token, id, shelf };
}

test("what was not sent outlives the page: the next one sends it, in order, nothing twice", async () => {
  const { client, token, id, shelf } = await writeAndClose("pat");
  expect(shelf.kept.size).toBe(3);
  const { hook } = openPage({ url: server.restUrl, token }, id, shelf);
  await hook.values.take("all of them", ({ messages, pending }) => messages.length === 3 && pending.length === 0);
  expect(texts(await client.message.list({ channel_id: id }))).toEqual(written);
  expect(shelf.kept.size).toBe(0);
  hook.unmount();
});

test("another user of the same browser neither sees nor sends it", async () => {
  const { client, token, id, shelf } = await writeAndClose("rae");
  const sam = await signUpClient(server, "sam");
  const { hook } = openPage({ url: server.restUrl, token: sam.token.current ?? "" }, id, shelf);
  await hook.values.take("loaded", ({ status }) => status === "loaded");
  hook.current.post("as Sam");
  await hook.values.take("Sam's own", ({ messages, pending }) => texts(messages).includes("as Sam") && pending.length === 0);
  expect(hook.values.items.flatMap(({ pending }) => texts(pending)).filter((text) => text !== "as Sam")).toEqual([]);
  expect(texts(await client.message.list({ channel_id: id })).filter((text) => text !== "as Sam")).not.toContain("two");
  expect(texts([...shelf.kept.values()])).toEqual(expect.arrayContaining(["two", "three"]));
  hook.unmount();
  const own = openPage({ url: server.restUrl, token }, id, shelf);
  await own.hook.values.take("Rae's", ({ messages }) => texts(messages).includes("three"));
  const { user_id } = await sam.auth.session();
  expect(texts(own.hook.current.messages.filter((message) => message.user_id === user_id))).toEqual(["as Sam"]);
  own.hook.unmount();
});

test("where one has to wait those after it wait too, and none overtakes it", async () => {
  const tia = await signUpClient(server, "tia");
  const { id } = await tia.channel.post({ title: "order" });
  let isFull = true;
  const full: typeof fetch = async (input, init) =>
    isFull && String(input).includes("message.post") ? Response.json({}, { status: 503 }) : fetch(input, init);
  const { hook } = openPage({ url: server.restUrl, token: tia.token.current ?? "", fetch: full }, id, new Shelf());
  await hook.values.take("loaded", ({ status }) => status === "loaded");
  for (const text of written) hook.current.post(text);
  const { pending } = await hook.values.take("the failure", ({ pending: [first] }) => first?.error?.code === "SERVICE_UNAVAILABLE", 10_000);
  expect(pending.map(({ error }) => error?.transient)).toEqual([true, undefined, undefined]);
  isFull = false;
  hook.current.retry(pending[0]?.client_message_id ?? "");
  await hook.values.take("all of them", ({ messages, pending }) => messages.length === 3 && pending.length === 0);
  expect(texts(await tia.message.list({ channel_id: id }))).toEqual(written);
  hook.unmount();
});

test("a refused message holds nobody up, and usePending shows it wherever one is", async () => {
  const uma = await signUpClient(server, "uma");
  const { id } = await uma.channel.post({ title: "refused" });
  const all = renderHook(uma, () => usePending());
  const hook = renderHook(uma, () => useMessages(id));
  const elsewhere = renderHook(uma, () => useMessages(1));
  await hook.values.take("loaded", ({ status }) => status === "loaded");
  hook.current.post(" ");
  hook.current.post("fine");
  await hook.values.take("what is fine", ({ messages }) => texts(messages).join() === "fine");
  await expect.poll(() => all.current.map(({ channel_id, error }) => [channel_id, error?.code])).toEqual([[id, "BAD_REQUEST"]]);
  expect(elsewhere.values.items.flatMap(({ pending }) => pending)).toEqual([]);
  await uma.channel.delete({ id });
  await expect.poll(() => all.current).toEqual([]);
  for (const each of [all, hook, elsewhere]) each.unmount();
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

test("what one page gave up, another page of the same writer does not send, and sends the rest", async () => {
  const vic = await signUpClient(server, "vic");
  const { id } = await vic.channel.post({ title: "two pages" });
  const shelf = new Shelf();
  let isFull = true;
  const full: typeof fetch = async (input, init) =>
    isFull && String(input).includes("message.post") ? Response.json({}, { status: 503 }) : fetch(input, init);
  const open = () => openPage({ url: server.restUrl, token: vic.token.current ?? "", fetch: full }, id, shelf);
  const here = open();
  await here.hook.values.take("loaded", ({ status }) => status === "loaded");
  here.hook.current.post("taken back");
  here.hook.current.post("kept");
  await here.hook.values.take("the failure", ({ pending: [first] }) => first?.error !== undefined, 10_000);
  const there = open();
  const { pending } = await there.hook.values.take(
    "both",
    ({ pending: both }) => both.length === 2 && both[0]?.error !== undefined,
    10_000,
  );
  here.hook.current.discard(pending[0]?.client_message_id ?? "");
  isFull = false;
  there.hook.current.retry(pending[0]?.client_message_id ?? "");
  await there.hook.values.take("what was kept", ({ messages, pending: left }) => messages.length === 1 && left.length === 0, 10_000);
  expect(texts(await vic.message.list({ channel_id: id }))).toEqual(["kept"]);
  for (const { hook, client } of [here, there]) {
    hook.unmount();
    client.close();
  }
});

test("a connection that comes back while a message is failing has it sent again at once", async () => {
  const wes = await signUpClient(server, "wes");
  const { id } = await wes.channel.post({ title: "meanwhile" });
  const attemptsAt: number[] = [];
  const firstMayFail = Promise.withResolvers<void>();
  const failing: typeof fetch = async (input, init) => {
    if (!String(input).includes("message.post")) return fetch(input, init);
    attemptsAt.push(performance.now());
    if (attemptsAt.length === 1) await firstMayFail.promise;
    if (attemptsAt.length <= 3) throw new TypeError("The network is gone.");
    return fetch(input, init);
  };
  const { client, hook } = openPage({ url: server.restUrl, token: wes.token.current ?? "", fetch: failing }, id, new Shelf());
  await hook.values.take("loaded", ({ status }) => status === "loaded");
  hook.current.post("as soon as may be");
  await expect.poll(() => attemptsAt.length).toBe(1);
  client.connection.reconnect();
  await expect.poll(() => client.connection.current, { timeout: 5_000 }).toBe("live");
  firstMayFail.resolve();
  await hook.values.take("the message", ({ messages, pending }) => messages.length === 1 && pending.length === 0, 15_000);
  const [, , third = 0, fourth = 0] = attemptsAt;
  expect(fourth - third).toBeLessThan(2_500);
  hook.unmount();
  client.close();
});

test("what is written after the clock was put back stays behind what was written before it", async () => {
  const xia = await signUpClient(server, "xia");
  const { id } = await xia.channel.post({ title: "clock" });
  const shelf = new Shelf();
  const token = xia.token.current ?? "";
  const full: typeof fetch = async (input, init) =>
    String(input).includes("message.post") ? Response.json({}, { status: 503 }) : fetch(input, init);
  const page = openPage({ url: server.restUrl, token, fetch: full }, id, shelf);
  await page.hook.values.take("loaded", ({ status }) => status === "loaded");
  page.hook.current.post("one");
  const wallClock = vi.spyOn(Date, "now").mockReturnValue(1_000_000_000_000);
  page.hook.current.post("two");
  page.hook.current.post("three");
  wallClock.mockRestore();
  await page.hook.values.take("all", ({ pending }) => pending.length === 3);
  page.hook.unmount();
  page.client.close();
  const { hook } = openPage({ url: server.restUrl, token }, id, shelf);
  await hook.values.take("all of them", ({ messages, pending }) => messages.length === 3 && pending.length === 0, 15_000);
  expect(texts(await xia.message.list({ channel_id: id }))).toEqual(written);
  hook.unmount();
});
