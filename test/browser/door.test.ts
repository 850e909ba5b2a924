import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
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
const focused = (page: Page) => page.evaluate("document.activeElement.labels?.[0]?.textContent ?? document.activeElement.tagName");
const described = (page: Page, label: string) =>
  page.evaluate(`(() => {
    const { control } = [...document.querySelectorAll("label")].find(({ textContent }) => textContent === ${JSON.stringify(label)});
    return (control.getAttribute("aria-describedby") ?? "").split(" ").map((id) => document.getElementById(id)?.textContent);
  })()`);
const stored = (page: Page) =>
  page.evaluate(
    `indexedDB.databases().then((databases) => ({ local: Object.keys(localStorage).sort(), session: Object.keys(sessionStorage), databases }))`,
  ) as Promise<{ local: string[]; session: string[]; databases: unknown[] }>;

async function signIn(page: Page, name: string): Promise<void> {
  await page.getByLabel("Name").fill(name);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("button", { name: "Connection: Live" }).waitFor();
}

test("at the door each problem stands at its field, tied to it, and the field has the keyboard", { timeout: slow }, async () => {
  await signUp(server, "taken");
  await using door = await openPage(browser, server.restUrl);
  const { page } = door;
  expect(await focused(page)).toBe("Name");
  await page.getByRole("button", { name: "Create an account" }).click();
  await page.getByRole("button", { name: "Create account" }).click();
  await page.getByRole("alert").first().waitFor();
  expect(await described(page, "Name")).toContain("Use 2 to 64 letters, digits, - or _, and begin with a letter.");
  expect(await described(page, "Password")).toContain("Use 8 characters or more.");
  expect(await page.locator("[aria-invalid=true]").count()).toBe(2);
  expect(await focused(page)).toBe("Name");
  await page.getByLabel("Name").fill("taken");
  await page.getByLabel("Password").fill(password);
  await page.keyboard.press("Enter");
  await page.getByRole("alert").getByText("This username is taken.").waitFor();
  expect(await described(page, "Name")).toContain("This username is taken.");
  expect(await page.locator("[aria-invalid=true]").count()).toBe(1);
  await page.getByRole("button", { name: "Sign in" }).click();
  expect(await page.getByRole("alert").count()).toBe(0);
  await page.getByLabel("Password").fill("another horse");
  await page.keyboard.press("Enter");
  await page.getByRole("alert").getByText("The name or the password is wrong.").waitFor();
  expect(await described(page, "Password")).toEqual(["The name or the password is wrong."]);
  expect(await focused(page)).toBe("Password");
  expect(door.complaints).toEqual([]);
});

test("a dialog says what is wrong with a title at the title", { timeout: slow }, async () => {
  await using ann = await enter(browser, server, "ann");
  const { page } = ann;
  await page.getByRole("button", { name: "New channel" }).click();
  await page.keyboard.press("Enter");
  await page.getByRole("alert").waitFor();
  expect(await described(page, "Title")).toEqual(["Must be 1 to 64 characters long."]);
  expect(await focused(page)).toBe("Title");
  await page.keyboard.type("   ");
  await page.keyboard.press("Enter");
  await page.getByRole("alert").getByText("Write something here first.").waitFor();
  expect(await page.getByLabel("Title").getAttribute("aria-invalid")).toBe("true");
  expect(await page.getByLabel("What is it about?").getAttribute("aria-invalid")).toBeNull();
});

test("where sign-up is closed the door offers none, and who has an account enters, without anonymous reading too", {
  timeout: slow,
}, async () => {
  await using closed = await startServer({ SIGN_UP: "closed", ANONYMOUS_READ: "false" });
  const admin = await signUp(closed, "admin");
  await request(closed, "POST", "/user", { token: admin.token, body: { username: "guest", password } });
  await using door = await openPage(browser, closed.restUrl);
  await door.page.getByRole("heading", { name: "Sign in" }).waitFor();
  expect(await door.page.getByText("account").count()).toBe(0);
  expect(await door.page.getByText("New here?").count()).toBe(0);
  await signIn(door.page, "guest");
  await door.page.getByRole("heading", { name: "General", level: 1 }).waitFor();
  expect(door.complaints).toEqual([]);
  await using open = await openPage(browser, server.restUrl);
  await open.page.getByRole("button", { name: "Create an account" }).waitFor();
});

test("nothing of a user stays in the browser after signing out, and what is another's stays", { timeout: slow }, async () => {
  await signUp(server, "cid");
  await using door = await openPage(browser, server.restUrl);
  const { page } = door;
  await page.evaluate("localStorage.setItem('keenchat.999999.draft.1', 'of another')");
  await signIn(page, "cid");
  await page.getByLabel("Message to General").fill("half a thought");
  await page.getByRole("link", { name: "Code" }).click();
  await page.getByLabel("Message to Code").fill("another half");
  expect((await stored(page)).local.length).toBeGreaterThan(3);
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
  expect(await stored(page)).toEqual({ local: ["keenchat.999999.draft.1"], session: [], databases: [] });
  expect(await page.getByText("You are signed out.").count()).toBe(0);
  expect(await focused(page)).toBe("Name");
  await signUp(server, "dot");
  await signIn(page, "dot");
  expect(await page.getByRole("textbox", { name: /^Message to/ }).inputValue()).toBe("");
});

test("who signs out before a message is sent is asked, and then the message is gone for good", { timeout: slow }, async () => {
  const { id } = await signUp(server, "eva");
  await using door = await openPage(browser, server.restUrl);
  const { page, context } = door;
  await signIn(page, "eva");
  await context.route("**/trpc/message.post", (route) => route.abort());
  await page.keyboard.type("unsent");
  await page.keyboard.press("Enter");
  await page.getByText("Not sent yet.").waitFor();
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByText("A message of yours is not sent yet, and will be lost.").waitFor();
  await page.keyboard.press("Escape");
  await page.locator(".row[data-pending]").getByText("unsent").waitFor();
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Sign out" }).click();
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
  expect((await stored(page)).local).toEqual([]);
  await context.unroute("**/trpc/message.post");
  await signIn(page, "eva");
  await page.keyboard.type("sent");
  await page.keyboard.press("Enter");
  await page.locator(".row[data-id]").getByText("sent", { exact: true }).waitFor();
  const { body } = await request(server, "GET", `/message?user_id=${id}`);
  expect(body.map((message: { message_text: string }) => message.message_text)).toEqual(["sent"]);
  expect(await page.locator(".row .text").allInnerTexts()).toEqual(["sent"]);
});
