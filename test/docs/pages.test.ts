/** `/docs` as it is served: every page, what it may load, and where its links lead. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { catalogue } from "../../src/api.ts";
import { routes } from "../../src/transports/rest/routes.ts";
import { answers, commands } from "../../src/transports/shim/commands.ts";
import { type Answer, request } from "../support/http.ts";
import { startServer, type TestServer } from "../support/server.ts";

let server: TestServer;
const pages = new Map<string, string>();
beforeAll(async () => {
  server = await startServer();
  const { text } = await get("/docs");
  pages.set("/docs", text);
  for (const [, path = ""] of text.matchAll(/href="(\/docs\/[\w-]+)"/g)) if (!pages.has(path)) pages.set(path, (await get(path)).text);
});
afterAll(() => server.close());

function get(path: string, headers: Record<string, string> = {}): Promise<Answer> {
  return request(server, "GET", path, { headers });
}

function targetsOf(html: string): string[] {
  return [...html.matchAll(/(?:href|src)="([^"]+)"/g)].map(([, target = ""]) => target);
}

test("there is a page for each subject", () => {
  const subjects = "start client real-time rest events errors limits close-codes keenchat-2014 operate grow".split(" ");
  expect([...pages.keys()]).toEqual(expect.arrayContaining(subjects.map((name) => `/docs/${name}`)));
});

test("every link leads somewhere on this server, to a heading that is there, and none to another host", async () => {
  for (const [path, html] of pages) {
    for (const target of targetsOf(html)) {
      const url = new URL(target, server.restUrl + path);
      if (url.protocol === "data:") continue;
      expect(url.origin, `${path}: ${target}`).toBe(server.restUrl);
      const html = pages.get(url.pathname);
      if (html === undefined) expect((await get(url.pathname)).status, `${path}: ${target}`).toBe(200);
      else if (url.hash !== "") expect(html, `${path}: ${target}`).toContain(`id="${url.hash.slice(1)}"`);
    }
  }
});

test("a page runs nothing that is written in it, and may load from here alone", async () => {
  for (const [path, html] of pages) {
    const policy = (await get(path)).headers.get("content-security-policy") ?? "";
    expect(policy).toContain("default-src 'none'");
    expect(policy).not.toMatch(/unsafe|https?:|\*/);
    expect(html, path).not.toMatch(/<style|\sstyle=|\son\w+=|<script(?! src="\/docs\/)/);
    if (path !== "/docs/rest") expect(html, path).not.toContain("<script");
  }
});

test("it needs no token and looks at none", async () => {
  expect((await get("/docs", { authorization: "Bearer nonsense" })).status).toBe(200);
  expect((await get("/docs/start?auth=nonsense")).status).toBe(200);
});

test("it answers HEAD and OPTIONS like every document, and nothing that changes", async () => {
  const whole = await get("/docs/start", { "accept-encoding": "identity" });
  const head = await request(server, "HEAD", "/docs/start", { headers: { "accept-encoding": "identity" } });
  expect([head.status, head.text]).toEqual([200, ""]);
  expect(head.headers.get("content-length")).toBe(String(Buffer.byteLength(whole.text)));
  const refused = await request(server, "POST", "/docs/start");
  expect(refused.status).toBe(405);
  expect(refused.headers.get("allow")).toBe("GET, HEAD, OPTIONS");
  expect((await request(server, "OPTIONS", "/docs")).status).toBe(204);
});

test("what is not there is 404, whatever it is called", async () => {
  for (const path of ["/docs/nothing", "/docs/start/more", "/docs/__proto__", "/docs/..%2Fpackage.json", "/docs/start.md"])
    expect(await get(path), path).toMatchObject({ status: 404, body: { code: "NOT_FOUND" } });
});

test("it is sent compressed to those who take that, and not again to those who have it", async () => {
  const { headers, text } = await get("/docs/swagger-ui-bundle.js", { "accept-encoding": "gzip" });
  expect(headers.get("content-encoding")).toBe("gzip");
  expect(Number(headers.get("content-length"))).toBeLessThan(text.length / 2);
  expect((await get("/docs/start", { "accept-encoding": "gzip;q=0" })).headers.get("content-encoding")).toBeNull();
  const etag = headers.get("etag") ?? "";
  expect(await get("/docs/swagger-ui-bundle.js", { "if-none-match": etag })).toMatchObject({ status: 304, text: "" });
});

describe("the references", () => {
  const headings = (path: string) => [...(pages.get(path) ?? "").matchAll(/<h3[^>]*><a[^>]*><code>([^<]+)/g)].map(([, name]) => name);

  test("events: every event, command and answer", () => {
    const expected = [...catalogue.map(({ name }) => name), ...Object.keys(commands), ...Object.keys(answers)];
    expect(headings("/docs/events")).toEqual(expected);
  });

  test("REST: every request, without a script too", () => {
    for (const { method, segments } of routes) expect(pages.get("/docs/rest")).toContain(`<code>${method} /${segments.join("/")}</code>`);
  });
});
