import { cpSync, mkdtempDisposableSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { fileURLToPath } from "node:url";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { errorCodes } from "../../src/api.ts";
import { enter, launchBrowser, openPage, password } from "../support/browser.ts";
import { request, signUp } from "../support/http.ts";
import { startServer, type TestServer } from "../support/server.ts";

let server: TestServer;
let browser: Browser;
beforeAll(async () => {
  [server, browser] = await Promise.all([startServer(), launchBrowser()]);
}, 60_000);
afterAll(async () => {
  await browser.close();
  await server.close();
});

const slow = 60_000;
const build = fileURLToPath(new URL("../../web/dist", import.meta.url));

/** Lets a procedure answer as the server does where it cannot do what is asked. Returns the way back. */
async function refuse(page: Page, procedure: string, code: keyof typeof errorCodes, headers: Record<string, string> = {}) {
  const { status, text } = errorCodes[code];
  const path = `**/trpc/${procedure}*`;
  const json = { error: { message: text, code: -32_603, data: { code, httpStatus: status, path: procedure, request_id: "r-1" } } };
  await page.context().route(path, (route) => route.fulfill({ status, json, headers }));
  return () => page.context().unroute(path);
}

async function fillDoor(page: Page, name: string): Promise<void> {
  await page.getByLabel("Name").fill(name);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Sign in" }).click();
}

test("where the disk is full a message waits with the reason, and goes out when there is room", { timeout: slow }, async () => {
  await using ann = await enter(browser, server, "ann");
  const { page } = ann;
  const makeRoom = await refuse(page, "message.post", "SERVICE_UNAVAILABLE");
  await page.getByLabel("Message to General").fill("keep this");
  await page.keyboard.press("Enter");
  await page.getByText("Not sent yet. The server cannot store anything right now.").waitFor();
  expect(await page.locator(".row .text").allInnerTexts()).toEqual(["keep this"]);
  await makeRoom();
  await page.getByRole("button", { name: "Send now" }).click();
  await page.locator(".row[data-id]").getByText("keep this").waitFor();
  expect(await page.locator(".row .text").allInnerTexts()).toEqual(["keep this"]);
});

test("what the server asks to wait for is waited for, and can be taken back meanwhile", { timeout: slow }, async () => {
  await using ben = await enter(browser, server, "ben", { path: "/#/channel/2" });
  const { page } = ben;
  await refuse(page, "message.post", "TOO_MANY_REQUESTS", { "retry-after": "40" });
  await page.getByLabel("Message to Code").fill("too soon");
  await page.keyboard.press("Enter");
  await page.getByText("That was too much at once. It will be sent in 40 seconds.").waitFor();
  await page.getByRole("button", { name: "Take it back" }).click();
  expect(await page.getByLabel("Message to Code").inputValue()).toBe("too soon");
  expect(await page.locator(".row").count()).toBe(0);
});

test("a dialog and an editor that cannot do it stay open, with what was typed and the reason", { timeout: slow }, async () => {
  const { token } = await signUp(server, "cid");
  const { body } = await request(server, "POST", "/channel", { token, body: { title: "Plans" } });
  await request(server, "POST", "/message", { token, body: { channel_id: body.id, message_text: "first words" } });
  await using cid = await openPage(browser, server.restUrl, { token, path: `/#/channel/${body.id}` });
  const { page } = cid;
  await page.getByText("first words").waitFor();
  const makeRoom = await refuse(page, "{message,channel}.put", "SERVICE_UNAVAILABLE");
  await page.getByRole("button", { name: "Channel settings" }).click();
  await page.getByLabel("Title").fill("Better plans");
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByRole("alert").getByText("The server cannot store anything right now. Try again in a moment.").waitFor();
  await makeRoom();
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByRole("heading", { name: "Better plans", level: 1 }).waitFor();

  const makeRoomAgain = await refuse(page, "message.put", "SERVICE_UNAVAILABLE");
  await page.getByLabel("Message to Better plans").press("ArrowUp");
  await page.getByLabel("Edit your message").fill("better words");
  await page.keyboard.press("Enter");
  await page.getByRole("alert").getByText("The server cannot store anything").waitFor();
  expect(await page.getByLabel("Edit your message").inputValue()).toBe("better words");
  await makeRoomAgain();
  await page.getByRole("button", { name: "Save" }).click();
  await page.locator(".row .text").getByText("better words").waitFor();
});

test("messages that cannot be read are read again by themselves, or when asked for", { timeout: slow }, async () => {
  await signUp(server, "dan");
  const { body } = await request(server, "POST", "/auth", { body: { username: "dan", password } });
  const message = { channel_id: 2, message_text: "worth the wait" };
  await request(server, "POST", "/message", { token: body.token_value, body: message });
  await using door = await openPage(browser, server.restUrl);
  const { page } = door;
  const recover = await refuse(page, "message.list", "SERVICE_UNAVAILABLE");
  await fillDoor(page, "dan");
  await page.getByRole("link", { name: "Code" }).click();
  const again = page.getByRole("button", { name: "The messages could not be read. Try again" });
  await again.waitFor();
  await recover();
  await page.getByText("worth the wait").waitFor();
  await again.waitFor({ state: "detached" });
});

test("at the door: a server that is busy or away is told in plain words, and what was typed stays", { timeout: slow }, async () => {
  await using own = await startServer();
  await signUp(own, "eve");
  await using door = await openPage(browser, own.restUrl);
  const { page } = door;
  const wait = await refuse(page, "auth.login", "TOO_MANY_REQUESTS", { "retry-after": "1" });
  await fillDoor(page, "eve");
  await page.getByRole("alert").getByText("That was too much at once. Try again in a second.").waitFor();
  await wait();
  await own.close();
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("alert").getByText("The server cannot be reached. Check your connection and try again.").waitFor();
  expect(await page.getByLabel("Name").inputValue()).toBe("eve");
  expect(await page.getByLabel("Password").inputValue()).toBe(password);
});

test("a token the server does not know leads to the door, which says so", { timeout: slow }, async () => {
  await using opened = await openPage(browser, server.restUrl, { token: "not.a.token", path: "/#/channel/1" });
  await opened.page.getByText("You are signed out. Sign in to go on; what you wrote is kept.").waitFor();
  await opened.page.getByRole("heading", { name: "Sign in" }).waitFor();
});

test("a page whose server has a newer one offers to reload, and keeps the draft", { timeout: slow }, async () => {
  using directory = mkdtempDisposableSync(`${tmpdir()}/keenchat-web-`);
  cpSync(build, directory.path, { recursive: true });
  await using own = await startServer({}, { webDirectory: directory.path });
  await using fay = await enter(browser, own, "fay");
  const { page } = fay;
  await page.getByLabel("Message to General").fill("half a thought");
  const index = `${directory.path}/index.html`;
  writeFileSync(index, readFileSync(index, "utf8").replace("<title>", "<title>New "));
  await page.getByText("A new version of this page is here.").waitFor();
  await page.getByRole("button", { name: "Reload" }).click();
  await page.getByRole("button", { name: "Connection: Live" }).waitFor();
  await expect.poll(() => page.getByLabel("Message to General").inputValue()).toBe("half a thought");
});
