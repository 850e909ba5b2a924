/** The client and a server that is there and does not answer; a server below a path; what a gateway wants to see. */
import { createServer, type IncomingMessage, request as requestHttp } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type ConnectionState, createKeenchatClient } from "../client/src/client.ts";
import { followEvents, signUpClient } from "./support/clients.ts";
import { startProcess, temporaryDirectory } from "./support/process.ts";
import { startServer, type TestServer } from "./support/server.ts";
import { TcpProxy } from "./support/tcp-proxy.ts";
import { Inbox } from "./support/wait.ts";

const slowMs = 60_000;
/** A call without an answer for 3 s, a question without one for 2 s, and what a loaded machine takes. */
const noticedMs = 10_000;

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.close());

test("a server that has stopped is not live for longer than a call and a question go without an answer", { timeout: slowMs }, async () => {
  using directory = temporaryDirectory();
  await using process = startProcess({ DATABASE_URL: `sqlite:${directory.path}/frozen.db` });
  const { restUrl } = await process.ready();
  const keenchat = await signUpClient({ restUrl }, "ann");
  const inbox = await followEvents(keenchat);
  const states = new Inbox<ConnectionState>();
  keenchat.connection.subscribe((state) => states.push(state));
  expect(keenchat.connection.current).toBe("live");

  process.child.kill("SIGSTOP");
  const posted = keenchat.message.post({ channel_id: 1, message_text: "into the ice" });
  await states.take("the loss", (state) => state !== "live", noticedMs);
  process.child.kill("SIGCONT");
  const { id } = await posted;
  await inbox.take("the message", ({ event, data }) => event === "post message" && data.id === id, 30_000);
  await states.take("live again", (state) => state === "live", 30_000);
  keenchat.close();
});

test("a network that has stopped is noticed as soon, however many calls come after the first", { timeout: slowMs }, async () => {
  const proxy = await TcpProxy.start(Number(new URL(server.restUrl).port));
  const keenchat = createKeenchatClient({ url: `http://127.0.0.1:${proxy.port}`, timeoutMs: 15_000 });
  await followEvents(keenchat);
  const states = new Inbox<ConnectionState>();
  keenchat.connection.subscribe((state) => states.push(state));
  proxy.set("freeze");
  const calls: Promise<unknown>[] = [];
  const calling = setInterval(() => calls.push(keenchat.channel.list().catch(() => {})), 500);
  await states.take("the loss", (state) => state !== "live", noticedMs).finally(() => clearInterval(calling));
  keenchat.close();
  await proxy.close();
  await Promise.all(calls);
});

test("a subscription that nobody answers is noticed without any call", { timeout: slowMs }, async () => {
  const proxy = await TcpProxy.start(Number(new URL(server.restUrl).port));
  const ben = await signUpClient(server, "ben");
  const keenchat = createKeenchatClient({ url: `http://127.0.0.1:${proxy.port}`, token: ben.token.current ?? "" });
  await followEvents(keenchat);
  const states = new Inbox<ConnectionState>();
  proxy.set("swallow");
  keenchat.connection.subscribe((state) => states.push(state));
  keenchat.presence(1).subscribe(() => {});
  await states.take("another connection", (state) => state === "connecting", noticedMs);
  keenchat.close();
  await proxy.close();
});

/** A proxy that takes a path away in front of a server, and shows what came. */
async function startStrippingProxy(prefix: string) {
  const target = new URL(server.restUrl);
  const seen: IncomingMessage[] = [];
  const stripped = (url = "") => (url.startsWith(`${prefix}/`) ? url.slice(prefix.length) : undefined);
  const proxy = createServer((incoming, answer) => {
    seen.push(incoming);
    const path = stripped(incoming.url);
    if (path === undefined) return void answer.writeHead(404).end();
    const { method, headers } = incoming;
    const outgoing = requestHttp({ host: target.hostname, port: target.port, path, method, headers }, (response) => {
      answer.writeHead(response.statusCode ?? 502, response.headers);
      response.pipe(answer);
    });
    incoming.pipe(outgoing);
  });
  proxy.on("upgrade", (incoming, outside, head) => {
    seen.push(incoming);
    const path = stripped(incoming.url);
    if (path === undefined) return void outside.destroy();
    const inside = connect(Number(target.port), target.hostname, () => {
      const lines = Object.entries(incoming.headers).map(([name, value]) => `${name}: ${value}`);
      inside.write(`GET ${path} HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n`);
      inside.write(head);
      inside.pipe(outside);
      outside.pipe(inside);
    });
    for (const [one, other] of [
      [inside, outside],
      [outside, inside],
    ] as const) {
      one.on("error", () => {});
      one.on("close", () => other.destroy());
    }
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  const { port } = proxy.address() as AddressInfo;
  return { origin: `http://127.0.0.1:${port}`, seen, close: () => proxy.close() };
}

for (const [what, url] of [
  ["with", "/chat/"],
  ["without", "/chat"],
] as const) {
  test(`below a path ${what} a slash at its end, calls and events go below it and nowhere else`, async () => {
    const proxy = await startStrippingProxy("/chat");
    const keenchat = createKeenchatClient({ url: `${proxy.origin}${url}` });
    const inbox = await followEvents(keenchat);
    const carl = await signUpClient({ restUrl: `${proxy.origin}${url}` }, `carl${what}`);
    const { id } = await carl.message.post({ channel_id: 1, message_text: "below" });
    await inbox.take("the message", ({ event, data }) => event === "post message" && data.id === id);
    expect((await keenchat.channel.list()).length).toBeGreaterThan(0);
    const paths = new Set(proxy.seen.map((request) => new URL(request.url ?? "", proxy.origin).pathname));
    expect([...paths].filter((path) => !path.startsWith("/chat/trpc"))).toEqual([]);
    expect(paths).toContain("/chat/trpc");
    keenchat.close();
    proxy.close();
  });
}

test("headers of one's own go with each call, asked for each time, and not with the socket", async () => {
  const proxy = await startStrippingProxy("/chat");
  const dan = await signUpClient(server, "dan");
  let count = 0;
  const keenchat = createKeenchatClient({
    url: `${proxy.origin}/chat`,
    token: dan.token.current ?? "",
    headers: async () => ({ "x-tenant": `t${++count}`, "Content-Type": "text/plain" }),
  });
  await followEvents(keenchat);
  await keenchat.message.post({ channel_id: 1, message_text: "with a tenant" });
  await keenchat.channel.list();
  const calls = proxy.seen.filter(({ headers }) => headers.upgrade === undefined);
  expect(calls.map(({ headers }) => headers["x-tenant"])).toEqual(["t1", "t2"]);
  expect(calls[0]?.headers).toMatchObject({ "content-type": "application/json", authorization: `Bearer ${dan.token.current}` });
  expect(proxy.seen.find(({ headers }) => headers.upgrade)?.headers["x-tenant"]).toBeUndefined();
  keenchat.close();

  const fixed = createKeenchatClient({ url: `${proxy.origin}/chat`, headers: { "x-tenant": "fixed" } });
  await fixed.channel.list();
  expect(proxy.seen.at(-1)?.headers["x-tenant"]).toBe("fixed");
  const failing = createKeenchatClient({ url: `${proxy.origin}/chat`, headers: () => Promise.reject(new Error("no tenant")) });
  await expect(failing.channel.list()).rejects.toThrow("no tenant");
  proxy.close();
});
