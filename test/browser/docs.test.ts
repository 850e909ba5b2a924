/** `/docs` in a real browser: it keeps to its own policy, fits a phone, is readable by all, and its requests can be tried. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { launchBrowser, openPage } from "../support/browser.ts";
import { password, request, signUp } from "../support/http.ts";
import { startServer, type TestServer } from "../support/server.ts";

const timeout = 120_000;
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

let server: TestServer;
let browser: Browser;
let paths: string[];
beforeAll(async () => {
  server = await startServer();
  browser = await launchBrowser();
  const index = await request(server, "GET", "/docs");
  paths = [...new Set([...index.text.matchAll(/href="(\/docs(?:\/[\w-]+)?)"/g)].map(([, path = ""]) => path))];
}, timeout);
afterAll(async () => {
  await browser?.close();
  await server.close();
});

test.each(["light", "dark"] as const)(
  "every page fits a phone, asks nothing of other hosts and gives axe nothing to say, in the %s",
  { timeout },
  async (colorScheme) => {
    await using opened = await openPage(browser, server.restUrl, { path: "/docs", colorScheme, viewport: { width: 360, height: 740 } });
    const { page, complaints } = opened;
    const asked: string[] = [];
    page.on("request", (sent) => asked.push(sent.url()));
    expect(paths.length).toBeGreaterThan(9);
    for (const path of paths) {
      await page.goto(server.restUrl + path);
      if (path === "/docs/rest") await page.locator(".opblock").first().waitFor();
      expect(await page.evaluate("document.documentElement.scrollWidth"), path).toBe(360);
      await page.evaluate(axe);
      // The viewer is its makers' to judge.
      const { violations } = (await page.evaluate('axe.run({ exclude: [["#viewer"]] })')) as {
        violations: { id: string; nodes: { html: string }[] }[];
      };
      expect(
        violations.map(({ id, nodes }) => [id, nodes[0]?.html]),
        path,
      ).toEqual([]);
    }
    expect(asked.filter((url) => !url.startsWith(`${server.restUrl}/`) && !url.startsWith("data:"))).toEqual([]);
    expect(complaints).toEqual([]);
  },
);

test("who signs in on the REST page is signed in there, and posts", { timeout }, async () => {
  await signUp(server, "ann");
  await using opened = await openPage(browser, server.restUrl, { path: "/docs/rest" });
  const { page, complaints } = opened;

  async function attempt(method: string, path: string, body: unknown): Promise<number> {
    const block = page.locator(`.opblock-${method}`, { has: page.locator(`[data-path="${path}"]`) });
    await block.locator(".opblock-summary-control").click();
    await block.locator("textarea").fill(JSON.stringify(body));
    await block.locator(".execute").click();
    return Number((await block.locator(".live-responses-table tbody .response-col_status").first().textContent())?.trim());
  }

  expect(await attempt("post", "/auth", { username: "ann", password })).toBe(200);
  expect(await attempt("post", "/message", { channel_id: 1, message_text: "tried" })).toBe(201);
  const { body } = await request(server, "GET", "/message");
  expect(body).toMatchObject([{ message_text: "tried" }]);
  expect(complaints).toEqual([]);
});

test("a closed padlock stands where the viewer sends a token, and nowhere else", { timeout }, async () => {
  await signUp(server, "cid");
  await using opened = await openPage(browser, server.restUrl, { path: "/docs/rest" });
  const { page } = opened;
  await page.locator(".opblock").first().waitFor();
  const closed = page.locator(".opblock .authorization__btn svg.locked");
  const open = page.locator(".opblock .authorization__btn svg.unlocked");
  expect(await closed.count()).toBe(0);
  const all = await open.count();
  expect(all).toBeGreaterThan(15);
  const signIn = page.locator(".opblock-post", { has: page.locator('[data-path="/auth"]') });
  await signIn.locator(".opblock-summary-control").click();
  await signIn.locator("textarea").fill(JSON.stringify({ username: "cid", password }));
  await signIn.locator(".execute").click();
  await closed.first().waitFor();
  expect([await closed.count(), await open.count()]).toEqual([all, 0]);
});
