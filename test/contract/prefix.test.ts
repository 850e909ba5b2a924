/** `PUBLIC_URL` with a path, behind a proxy that takes it away: what the server hands out leads back to it. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { createKeenchatClient } from "../../client/src/client.ts";
import { post, request, signUp } from "../support/http.ts";
import { type PrefixProxy, startPrefixProxy } from "../support/prefix-proxy.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { within } from "../support/wait.ts";

let server: TestServer;
let proxy: PrefixProxy;
beforeAll(async () => {
  proxy = await startPrefixProxy("/some/chat", () => server.restUrl);
  server = await startServer({ PUBLIC_URL: `${proxy.url}/` });
});
afterAll(async () => {
  await proxy[Symbol.asyncDispose]();
  await server.close();
});

const status = async (reference: string, from: string) => (await fetch(new URL(reference, from))).status;
const linksOf = (html: string) => [...html.matchAll(/(?:href|src)="([^"#]+)[^"]*"/g)].map(([, link = ""]) => link);

test("Location and Link can be followed", async () => {
  const { token } = await signUp(server, "ann");
  const { headers } = await post(server, token, 1, "one");
  expect(headers.get("location")).toMatch(/^\/some\/chat\/message\/\d+$/);
  expect(await status(headers.get("location") ?? "", proxy.url)).toBe(200);
  await post(server, token, 1, "two");
  const page = await request(server, "GET", "/message/?limit=1");
  const link = /^<([^>]+)>; rel="prev"$/.exec(page.headers.get("link") ?? "")?.[1] ?? "";
  expect(link).toMatch(/^\/some\/chat\/message\?/);
  const before = (await (await fetch(new URL(link, proxy.url))).json()) as { message_text: string }[];
  expect(before.map(({ message_text }) => message_text)).toEqual(["one"]);
});

test("every link of every page of /docs can be followed, and what the pages load is there", async () => {
  const seen = new Set<string>();
  const waiting = [`${proxy.url}/docs`];
  for (let url = waiting.pop(); url !== undefined; url = waiting.pop()) {
    if (seen.has(url)) continue;
    seen.add(url);
    const answer = await fetch(url);
    expect([url, answer.status]).toEqual([url, 200]);
    if (answer.headers.get("content-type")?.startsWith("text/html"))
      waiting.push(
        ...linksOf(await answer.text())
          .filter((link) => !link.startsWith("data:"))
          .map((link) => new URL(link, url).href),
      );
  }
  const paths = [...seen].map((url) => url.slice(proxy.url.length));
  expect(paths).toEqual(
    expect.arrayContaining(["/docs", "/docs/operate", "/docs/rest", "/docs/style.css", "/docs/swagger-ui-bundle.js", "/openapi.json"]),
  );
});

test("the typed client reads and follows below the path", async () => {
  const client = createKeenchatClient({ url: proxy.url });
  const stream = client.events();
  for await (const event of stream) {
    expect(event.event).toBe("ready");
    break;
  }
  expect((await within(10_000, "the channels", client.channel.list())).length).toBeGreaterThan(1);
  client.close();
});
