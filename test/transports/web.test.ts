import { mkdirSync, mkdtempDisposableSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { createKeenchatClient, type KeenchatEvent } from "../../client/src/client.ts";
import { TestClock } from "../support/clock.ts";
import { request } from "../support/http.ts";
import { startServer } from "../support/server.ts";
import { Inbox } from "../support/wait.ts";

const script = "console.log('keen');".repeat(50);

/** Writes a build as web/build.js does. */
function writeBuild(directory: string, page: string): void {
  mkdirSync(join(directory, "assets"), { recursive: true });
  writeFileSync(join(directory, "assets", "index-abc.js"), script);
  writeFileSync(join(directory, "assets", "index-abc.js.br"), brotliCompressSync(script));
  writeFileSync(join(directory, "assets", "index-abc.js.gz"), gzipSync(script));
  writeFileSync(join(directory, ".inputs"), "a secret of the build");
  mkdirSync(join(directory, "docs"), { recursive: true });
  for (const name of ["index", "start"]) {
    const html = `<!doctype html><a href="/docs">${name}</a><script src="/docs/rest.js"></script>`;
    writeFileSync(join(directory, "docs", `${name}.html`), html);
    writeFileSync(join(directory, "docs", `${name}.html.gz`), gzipSync(html));
  }
  writeFileSync(join(directory, "index.html"), page);
}

test("the page is asked for each time, its files are kept for ever, and nothing inline or foreign may run", async () => {
  using directory = mkdtempDisposableSync(join(tmpdir(), "keenchat-web-"));
  writeBuild(directory.path, "<!doctype html><title>one</title>");
  await using server = await startServer({}, { webDirectory: directory.path });
  const page = await request(server, "GET", "/");
  expect(page).toMatchObject({ status: 200, text: "<!doctype html><title>one</title>" });
  expect(page.headers.get("content-type")).toBe("text/html; charset=utf-8");
  expect(page.headers.get("cache-control")).toBe("no-cache");
  expect(page.headers.get("referrer-policy")).toBe("no-referrer");
  const policy = page.headers.get("content-security-policy") ?? "";
  expect(policy).toContain("default-src 'none'");
  expect(policy).toContain("script-src 'self'");
  expect(policy).not.toMatch(/unsafe|https?:|\*/);
  const again = await request(server, "GET", "/", { headers: { "if-none-match": page.headers.get("etag") ?? "" } });
  expect(again).toMatchObject({ status: 304, text: "" });
  const file = await request(server, "GET", "/assets/index-abc.js");
  expect(file.headers.get("cache-control")).toBe("public, max-age=31536000, immutable");
  expect(file.text).toBe(script);
});

test("where sign-up is closed the page says so and keeps its other words; where it is open it says nothing", async () => {
  using directory = mkdtempDisposableSync(join(tmpdir(), "keenchat-web-"));
  writeBuild(directory.path, "<!doctype html><title>one</title><p>two");
  writeFileSync(join(directory.path, "index.html.br"), brotliCompressSync("a copy that does not know"));
  await using closed = await startServer({ SIGN_UP: "closed", ANONYMOUS_READ: "false" }, { webDirectory: directory.path });
  const page = await request(closed, "GET", "/", { headers: { "accept-encoding": "br" } });
  expect(page.text).toBe('<!doctype html><title>one</title><meta name="sign-up" content="closed" /><p>two');
  expect(page.headers.get("content-encoding")).toBeNull();
  await using open = await startServer({}, { webDirectory: directory.path });
  const other = await request(open, "GET", "/", { headers: { "accept-encoding": "identity" } });
  expect(other.text).toBe("<!doctype html><title>one</title><p>two");
  expect(other.headers.get("etag")).not.toBe(page.headers.get("etag"));
});

test.each([
  ["gzip, deflate, br", "br"],
  ["gzip", "gzip"],
  ["br;q=0, gzip", "gzip"],
  ["identity", null],
])("who accepts %s gets %s", async (accepted, encoding) => {
  using directory = mkdtempDisposableSync(join(tmpdir(), "keenchat-web-"));
  writeBuild(directory.path, "page");
  await using server = await startServer({}, { webDirectory: directory.path });
  const file = await request(server, "GET", "/assets/index-abc.js", { headers: { "accept-encoding": accepted } });
  expect(file.headers.get("content-encoding")).toBe(encoding);
  expect(file.headers.get("vary")).toContain("Accept-Encoding");
  expect(file.text).toBe(script);
});

test("nothing but the build's files is served, and only to be read", async () => {
  using directory = mkdtempDisposableSync(join(tmpdir(), "keenchat-web-"));
  writeBuild(directory.path, "page");
  await using server = await startServer({}, { webDirectory: directory.path });
  for (const path of [
    "/.inputs",
    "/assets",
    "/assets/",
    "/assets/..%2findex.html",
    "/assets/index-abc.js.br",
    "/assets/constructor",
    "/docs%2Fstart.html",
    "/docs/start.html",
  ]) {
    expect(await request(server, "GET", path), path).toMatchObject({ status: 404 });
  }
  expect(await request(server, "POST", "/")).toMatchObject({ status: 405 });
  expect(await request(server, "HEAD", "/")).toMatchObject({ status: 200, text: "" });
});

test("the docs are asked for each time, and their links begin with the prefix, compressed or not", async () => {
  using directory = mkdtempDisposableSync(join(tmpdir(), "keenchat-web-"));
  writeBuild(directory.path, "page");
  for (const [environment, prefix] of [
    [{}, ""],
    [{ PUBLIC_URL: "https://example.com/some/chat" }, "/some/chat"],
  ] as const) {
    await using server = await startServer(environment, { webDirectory: directory.path });
    for (const encoding of ["gzip", null]) {
      const answer = await request(server, "GET", "/docs/start", { headers: { "accept-encoding": encoding ?? "identity" } });
      expect(answer.text).toBe(`<!doctype html><a href="${prefix}/docs">start</a><script src="${prefix}/docs/rest.js"></script>`);
      expect(answer.headers.get("content-encoding")).toBe(encoding);
      expect(answer.headers.get("cache-control")).toBe("no-cache");
    }
    expect((await request(server, "GET", "/docs")).text).toContain(">index<");
  }
});

test("without a build the server runs, and its pages say how to make one", async () => {
  await using server = await startServer({}, { webDirectory: join(tmpdir(), "keenchat-no-such-build") });
  const page = await request(server, "GET", "/");
  expect(page.status).toBe(404);
  expect(page.text).toContain("npm run build -w web");
  for (const path of ["/docs", "/docs/start"])
    expect(await request(server, "GET", path), path).toMatchObject({ status: 404, text: page.text });
  expect(await request(server, "GET", "/channel")).toMatchObject({ status: 200 });
});

test("another build is one `refresh page` to everyone, and the same build again is none", async () => {
  using directory = mkdtempDisposableSync(join(tmpdir(), "keenchat-web-"));
  writeBuild(directory.path, "one");
  const clock = new TestClock();
  await using server = await startServer({}, { webDirectory: directory.path, clock });
  const client = createKeenchatClient({ url: server.restUrl });
  const inbox = new Inbox<KeenchatEvent>();
  client.events().subscribe((event) => inbox.push(event));
  await inbox.take("ready", ({ event }) => event === "ready");
  writeBuild(directory.path, "one");
  clock.advance(2_000);
  writeBuild(directory.path, "another");
  clock.advance(2_000);
  await inbox.take("refresh page", ({ event }) => event === "refresh page");
  expect(await request(server, "GET", "/")).toMatchObject({ text: "another" });
  expect(inbox.items.filter(({ event }) => event === "refresh page")).toHaveLength(1);
  client.close();
});
