import { mkdtempDisposableSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { enter, launchBrowser, password } from "../support/browser.ts";
import { post, request, signUp } from "../support/http.ts";
import { startServer } from "../support/server.ts";
import { TcpProxy } from "../support/tcp-proxy.ts";

let browser: Browser;
beforeAll(async () => {
  browser = await launchBrowser();
}, 60_000);
afterAll(() => browser.close());

const slow = 90_000;
const state = (page: Page, name: string) => page.getByRole("button", { name: `Connection: ${name}` }).waitFor({ timeout: 45_000 });
const portOf = (url: string) => Number(new URL(url).port);
const texts = (page: Page) => page.locator(".row .text").allInnerTexts();

async function send(page: Page, text: string): Promise<void> {
  await page.getByLabel("Message to General").fill(text);
  await page.keyboard.press("Enter");
}

test("the network goes and comes back: nothing is missing, nothing is there twice", { timeout: slow }, async () => {
  await using server = await startServer();
  const proxy = await TcpProxy.start(portOf(server.restUrl));
  const other = await signUp(server, "other");
  await using ann = await enter(browser, server, "ann", { url: `http://127.0.0.1:${proxy.port}` });
  await post(server, other.token, 1, "before");
  proxy.set("cut");
  await state(ann.page, "Offline");
  await send(ann.page, "written while away, one");
  await send(ann.page, "written while away, two");
  await ann.page.getByText("Not sent yet.").first().waitFor();
  await post(server, other.token, 1, "missed, one");
  await post(server, other.token, 1, "missed, two");
  proxy.set("pass");
  await state(ann.page, "Live");
  await ann.page.locator(".row[data-id]").getByText("written while away, two").waitFor({ timeout: 45_000 });
  const expected = ["before", "missed, one", "missed, two", "written while away, one", "written while away, two"];
  expect(await texts(ann.page)).toEqual(expected);
  await ann.page.reload();
  await state(ann.page, "Live");
  await ann.page.locator(".row[data-id]").nth(4).waitFor();
  expect(await texts(ann.page)).toEqual(expected);
  await proxy.close();
});

test("a message whose answer was lost is sent again and is there once", { timeout: slow }, async () => {
  await using server = await startServer();
  const proxy = await TcpProxy.start(portOf(server.restUrl));
  await using ann = await enter(browser, server, "ann", { url: `http://127.0.0.1:${proxy.port}` });
  const lost = proxy.lose("answer", (question) => question.includes("message.post"));
  await send(ann.page, "once");
  await lost;
  await ann.page.locator(".row[data-id]").getByText("once").waitFor({ timeout: 45_000 });
  await send(ann.page, "after");
  await ann.page.locator(".row[data-id]").getByText("after").waitFor({ timeout: 45_000 });
  expect(await texts(ann.page)).toEqual(["once", "after"]);
  await proxy.close();
});

test("a server that stands still: the page says that it sends, and is no longer live before one believes it", {
  timeout: slow,
}, async () => {
  await using server = await startServer();
  const proxy = await TcpProxy.start(portOf(server.restUrl));
  await using ann = await enter(browser, server, "ann", { url: `http://127.0.0.1:${proxy.port}` });
  await send(ann.page, "quick");
  await ann.page.locator(".row[data-id]").getByText("quick").waitFor();
  expect(await ann.page.getByText("Sending…").count()).toBe(0);
  proxy.set("freeze");
  const startMs = performance.now();
  await send(ann.page, "slow");
  await ann.page.getByText("Sending…").waitFor();
  const sendingMs = performance.now() - startMs;
  await ann.page.getByRole("button", { name: "Connection: Live" }).waitFor({ state: "detached" });
  const doubtMs = performance.now() - startMs;
  // 1 s until the word; 3 s without an answer and 2 s without one to the question. The rest is room for a busy machine.
  expect(sendingMs).toBeGreaterThan(900);
  expect(sendingMs).toBeLessThan(3_500);
  expect(doubtMs).toBeLessThan(8_000);
  proxy.set("pass");
  await ann.page.locator(".row[data-id]").getByText("slow").waitFor({ timeout: 45_000 });
  expect(await texts(ann.page)).toEqual(["quick", "slow"]);
  await proxy.close();
});

test("what was not sent outlives a reload, and goes out once, in order, as its writer alone", { timeout: slow }, async () => {
  await using server = await startServer();
  await using ann = await enter(browser, server, "ann");
  const { page, context } = ann;
  await context.route("**/trpc/message.post", (route) => route.abort());
  for (const text of ["first", "second"]) await send(page, text);
  await page.getByText("Not sent yet.").first().waitFor();
  await page.reload();
  await page.locator(".row[data-pending]").nth(1).waitFor();
  expect(await texts(page)).toEqual(["first", "second"]);
  const endSession = async () => {
    const token = await page.evaluate("localStorage.getItem('keenchat.token')");
    await fetch(`${server.restUrl}/auth`, { method: "DELETE", headers: { authorization: `Bearer ${token}` } });
    await page.getByText("You are signed out.").waitFor();
  };
  await endSession();
  await context.unroute("**/trpc/message.post");
  const ben = await signUp(server, "ben");
  const signIn = async (name: string) => {
    await page.getByLabel("Name").fill(name);
    await page.getByLabel("Password").fill(password);
    await page.getByRole("button", { name: "Sign in" }).click();
    await state(page, "Live");
  };
  await signIn("ben");
  await send(page, "from ben");
  await page.locator(".row[data-id]").getByText("from ben").waitFor();
  expect(await texts(page)).toEqual(["from ben"]);
  await endSession();
  await signIn("ann");
  await page.locator(".row[data-id]").getByText("second").waitFor();
  expect(await texts(page)).toEqual(["from ben", "first", "second"]);
  const { body } = await request(server, "GET", "/message?channel_id=1");
  expect(body.map(({ user_id }: { user_id: number }) => user_id)).toEqual([ben.id, ann.id, ann.id]);
});

test("the server is started anew under an open page, and the page goes on where it was", { timeout: slow }, async () => {
  using directory = mkdtempDisposableSync(join(tmpdir(), "keenchat-browser-"));
  const environment = { DATABASE_URL: `sqlite:${join(directory.path, "keenchat.db")}` };
  const first = await startServer(environment);
  const proxy = await TcpProxy.start(portOf(first.restUrl));
  await using ann = await enter(browser, first, "ann", { url: `http://127.0.0.1:${proxy.port}` });
  await send(ann.page, "before the restart");
  await ann.page.locator(".row[data-id]").getByText("before the restart").waitFor();
  await first.close();
  await state(ann.page, "Offline");
  await using second = await startServer(environment);
  const other = await signUp(second, "other");
  await post(second, other.token, 1, "after the restart");
  proxy.target = portOf(second.restUrl);
  await state(ann.page, "Live");
  await ann.page.locator(".row[data-id]").getByText("after the restart").waitFor();
  expect(await texts(ann.page)).toEqual(["before the restart", "after the restart"]);
  await proxy.close();
});

test("who is signed out elsewhere comes to the door, and what was written is kept", { timeout: slow }, async () => {
  await using server = await startServer();
  await using ann = await enter(browser, server, "ann");
  await ann.page.getByLabel("Message to General").fill("half a thought");
  await fetch(`${server.restUrl}/auth`, { method: "DELETE", headers: { authorization: `Bearer ${ann.token}` } });
  await ann.page.getByText("You are signed out.").waitFor();
  await ann.page.getByLabel("Name").fill("ann");
  await ann.page.getByLabel("Password").fill("correct horse");
  await ann.page.getByRole("button", { name: "Sign in" }).click();
  await state(ann.page, "Live");
  expect(await ann.page.getByLabel("Message to General").inputValue()).toBe("half a thought");
});

test("the drawer drops the connection and tells what was replayed", { timeout: slow }, async () => {
  await using server = await startServer();
  await using ann = await enter(browser, server, "ann");
  await ann.page.getByRole("button", { name: "Connection: Live" }).click();
  const drawer = ann.page.getByRole("region", { name: "Connection details" });
  await drawer.getByText("tRPC over WebSocket").waitFor();
  await ann.page.getByRole("button", { name: "Drop my connection" }).click();
  await state(ann.page, "Live");
  await drawer.locator("dt:has-text('Connections') + dd").getByText("2").waitFor();
});
