import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { launchBrowser, openPage } from "../support/browser.ts";
import { post, request, signUp } from "../support/http.ts";
import { startServer, type TestServer } from "../support/server.ts";

const slow = 90_000;
const sizes: Record<string, BrowserContextOptions> = {
  desktop: { viewport: { width: 1280, height: 800 } },
  phone: { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true },
};
const messages = 200;
let server: TestServer;
let browser: Browser;
let token: string;
let quiet: number;
beforeAll(async () => {
  [server, browser] = await Promise.all([startServer(), launchBrowser()]);
  const writers = await Promise.all(["ann", "ben", "cid", "dot"].map((name) => signUp(server, name)));
  token = writers[0]?.token ?? "";
  for (let sent = 0; sent < messages; sent += 1) {
    await post(server, writers[sent % 4]?.token ?? "", 1, `message ${sent} `.repeat(1 + (sent % 9)));
  }
  const made = await request(server, "POST", "/channel", { token, body: { title: "Quiet", description: "Not much happens here." } });
  quiet = made.body.id;
  for (const text of ["one", "two", "three"]) await post(server, writers[1]?.token ?? "", quiet, text);
}, 60_000);
afterAll(async () => {
  await browser.close();
  await server.close();
});

/** Runs in the page before anything of it: gathers what moved without being asked to, a line each. */
const observe = `
  window.shifts = [];
  const place = ({ x, y, width, height }) => [x, y, width, height].map(Math.round).join(" ");
  const say = ({ node, previousRect, currentRect }) =>
    (node?.outerHTML ?? node?.textContent ?? "what is gone").slice(0, 80) + " from " + place(previousRect) + " to " + place(currentRect);
  new PerformanceObserver((list) => {
    for (const { hadRecentInput, sources } of list.getEntries()) if (!hadRecentInput) window.shifts.push(...sources.map(say));
  }).observe({ type: "layout-shift", buffered: true });`;

/** Loads a page anew, each answer of the server late enough to be painted by itself; resolves with what moved. */
async function findShifts(path: string, options: Parameters<typeof openPage>[2], whole: (page: Page) => Promise<void>): Promise<string[]> {
  await using opened = await openPage(browser, server.restUrl, { path, ...options });
  const { page, context } = opened;
  await context.addInitScript(observe);
  const debug = await context.newCDPSession(page);
  await debug.send("Network.enable");
  await debug.send("Network.emulateNetworkConditions", { offline: false, latency: 100, downloadThroughput: -1, uploadThroughput: -1 });
  await page.reload();
  await whole(page);
  // What was painted last is reported with the next frames.
  await page.evaluate("new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(resolve))))");
  return (await page.evaluate("window.shifts")) as string[];
}

const conversation = (rows: number) => async (page: Page) => {
  await page.getByRole("button", { name: "Connection: Live" }).waitFor();
  await page
    .locator(".row")
    .nth(rows - 1)
    .waitFor();
  await page.locator(".who[data-unknown]").first().waitFor({ state: "detached" });
  await page.getByRole("button", { name: "People here: 1" }).or(page.getByText("Here now 1")).first().waitFor();
};

test("nothing moves while a page loads: the door, a busy channel, a quiet one, at desktop and phone size", { timeout: slow }, async () => {
  for (const [name, size] of Object.entries(sizes)) {
    const door = await findShifts("/", size, (page) => page.getByRole("heading", { name: "Sign in" }).waitFor());
    expect(door, `the door, ${name}`).toEqual([]);
    expect(await findShifts("/#/channel/1", { ...size, token }, conversation(50)), `a busy channel, ${name}`).toEqual([]);
    expect(await findShifts(`/#/channel/${quiet}`, { ...size, token }, conversation(3)), `a quiet channel, ${name}`).toEqual([]);
  }
});
