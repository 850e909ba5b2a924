import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { enter, launchBrowser, openPage, password } from "../support/browser.ts";
import { post, request, signUp } from "../support/http.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { findViolations } from "./axe.ts";

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
const message = (page: Page, text: string) => page.locator(".row .text").getByText(text, { exact: true });

async function send(page: Page, text: string, channel = "General"): Promise<void> {
  await page.getByLabel(`Message to ${channel}`).fill(text);
  await page.keyboard.press("Enter");
}

test("who signs up at the door is in the chat, and after signing out at the door again", { timeout: slow }, async () => {
  await using door = await openPage(browser, server.restUrl);
  const { page } = door;
  await page.getByRole("button", { name: "Create an account" }).click();
  await page.getByLabel("Name").fill("newcomer");
  await page.getByLabel("Password").fill("short");
  await page.getByRole("button", { name: "Create account" }).click();
  await page.getByRole("alert").getByText("8").waitFor();
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Create account" }).click();
  await page.getByRole("heading", { name: "General", level: 1 }).waitFor();
  await page.reload();
  await page.getByRole("button", { name: "Connection: Live" }).waitFor();
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
  await page.getByLabel("Name").fill("newcomer");
  await page.getByLabel("Password").fill("another horse");
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("alert").waitFor();
  expect(door.complaints).toEqual([]);
});

test("two people talk: each sees the other's words once, in order, and who is typing", { timeout: slow }, async () => {
  await using ann = await enter(browser, server, "ann");
  await using ben = await enter(browser, server, "ben");
  await ann.page.getByText("Here now 2").waitFor();
  await ben.page.getByLabel("Message to General").pressSequentially("hel");
  await ann.page.getByText("ben is typing").waitFor();
  await send(ben.page, "hello ann");
  await message(ann.page, "hello ann").waitFor();
  await ann.page.getByText("ben is typing").waitFor({ state: "hidden" });
  await ann.page.getByLabel("Message to General").fill("hello");
  await ann.page.keyboard.press("Shift+Enter");
  await ann.page.keyboard.type("ben");
  await ann.page.keyboard.press("Enter");
  await message(ben.page, "hello\nben").waitFor();
  for (const { page } of [ann, ben]) expect(await page.locator(".row .text").allInnerTexts()).toEqual(["hello ann", "hello\nben"]);
  await ben.context.close();
  await ann.page.getByText("Here now 1").waitFor();
  expect([...ann.complaints, ...ben.complaints]).toEqual([]);
});

test("one's own message can be changed and deleted, another's cannot", { timeout: slow }, async () => {
  const other = await signUp(server, "other");
  const channel = await request(server, "POST", "/channel", { token: other.token, body: { title: "Edits" } });
  await post(server, other.token, channel.body.id, "not yours");
  await using writer = await enter(browser, server, "writer", { path: `/#/channel/${channel.body.id}` });
  const { page } = writer;
  await message(page, "not yours").hover();
  expect(await page.getByRole("button", { name: "Edit message" }).count()).toBe(0);
  await send(page, "first words", "Edits");
  await page.locator(".row[data-id] .text").getByText("first words").waitFor();
  await page.keyboard.press("ArrowUp");
  await page.getByLabel("Edit your message").fill("better words");
  await page.keyboard.press("Enter");
  await message(page, "better words").waitFor();
  await page.getByText("edited", { exact: true }).waitFor();
  await message(page, "better words").hover();
  await page.getByRole("button", { name: "Delete message" }).click();
  await page.getByRole("button", { name: "Delete", exact: true }).click();
  await message(page, "better words").waitFor({ state: "detached" });
  await message(page, "not yours").waitFor();
});

test("a channel is made, renamed and removed for everybody; drafts and unread marks are per channel", { timeout: slow }, async () => {
  await using maker = await enter(browser, server, "maker");
  await using guest = await enter(browser, server, "guest");
  await maker.page.getByRole("button", { name: "New channel" }).click();
  await maker.page.getByLabel("Title").fill("Plans");
  await maker.page.getByRole("button", { name: "Create channel" }).click();
  await maker.page.getByRole("heading", { name: "Plans", level: 1 }).waitFor();
  await guest.page.getByLabel("Message to General").fill("half a thought");
  await send(maker.page, "the plan", "Plans");
  await guest.page.getByRole("link", { name: "Plans 1 unread" }).click();
  await message(guest.page, "the plan").waitFor();
  await guest.page.getByRole("link", { name: "Plans", exact: true }).waitFor();
  expect(await guest.page.getByLabel("Message to Plans").inputValue()).toBe("");
  await maker.page.getByRole("button", { name: "Channel settings" }).click();
  await maker.page.getByLabel("Title").fill("Better plans");
  await maker.page.getByRole("button", { name: "Save" }).click();
  await guest.page.getByRole("heading", { name: "Better plans", level: 1 }).waitFor();
  await maker.page.getByRole("button", { name: "Channel settings" }).click();
  await maker.page.getByRole("button", { name: "Delete this channel…" }).click();
  await maker.page.getByRole("button", { name: "Delete channel" }).click();
  await guest.page.getByRole("heading", { name: "General", level: 1 }).waitFor();
  expect(await guest.page.getByLabel("Message to General").inputValue()).toBe("half a thought");
  expect(await guest.page.getByRole("link", { name: "Better plans" }).count()).toBe(0);
});

test("a refused message is kept, with the reason and a way to change it", { timeout: slow }, async () => {
  await using page = await enter(browser, server, "long-winded");
  const text = "x".repeat(10_001);
  await send(page.page, text);
  await page.page.getByText("Not sent.").waitFor();
  await page.page.getByRole("button", { name: "Edit", exact: true }).click();
  expect(await page.page.getByLabel("Message to General").inputValue()).toBe(text);
});

const typed = [
  "<script>window.hacked = 1</script>",
  '"><img src=x onerror="window.hacked=1">',
  "<svg/onload=window.hacked=1>",
  "<iframe srcdoc='<script>parent.hacked=1</script>'></iframe>",
  "javascript:window.hacked=1",
  "[click](javascript:window.hacked=1)",
  'https://example.com/"onmouseover=window.hacked=1',
  "&lt;b&gt; &amp; {{7*7}} #{7*7} %3Cscript%3E",
  "\u202eright to left override\u202c end",
];

test("text is shown as it was typed, whatever it looks like; only web addresses become links", { timeout: slow }, async () => {
  const { token } = await signUp(server, "attacker");
  const channel = await request(server, "POST", "/channel", {
    token,
    body: { title: "<img src=x onerror=window.hacked=1>", description: typed[0] },
  });
  for (const text of typed) await post(server, token, channel.body.id, text);
  await using reader = await enter(browser, server, "reader", { path: `/#/channel/${channel.body.id}` });
  const { page } = reader;
  await page
    .locator(".row .text")
    .nth(typed.length - 1)
    .waitFor();
  expect(await page.locator(".row .text").allTextContents()).toEqual(typed);
  const links = await page.evaluate("[...document.querySelectorAll('.row a')].map((link) => link.href)");
  expect(links).toEqual(["https://example.com/"]);
  expect(await page.evaluate("window.hacked")).toBeUndefined();
  expect(reader.complaints).toEqual([]);
});

test("axe finds nothing: at the door, in a conversation, in a dialog, on a phone, in the dark", { timeout: 120_000 }, async () => {
  await using door = await openPage(browser, server.restUrl);
  await door.page.getByRole("heading", { name: "Sign in" }).waitFor();
  expect(await findViolations(door.page)).toEqual([]);
  for (const [index, options] of [{}, { colorScheme: "dark" as const }, { viewport: { width: 390, height: 844 } }].entries()) {
    await using page = await enter(browser, server, `axe-${index}`, options);
    await send(page.page, "hello https://example.com");
    await page.page.locator(".row[data-id] .text").getByText("hello https").last().waitFor();
    await page.page.getByRole("button", { name: "Connection: Live" }).click();
    expect(await findViolations(page.page)).toEqual([]);
    await page.page.getByRole("button", { name: "Close" }).click();
    if (index === 2) await page.page.getByRole("button", { name: "All channels" }).click();
    await page.page.getByRole("button", { name: "New channel" }).click();
    expect(await findViolations(page.page)).toEqual([]);
  }
});

test("everything can be reached by keyboard", { timeout: slow }, async () => {
  await using page = await enter(browser, server, "keys");
  await page.page.getByLabel("Message to General").and(page.page.locator(":focus")).waitFor();
  await page.page.keyboard.type("typed without a mouse");
  await page.page.keyboard.press("Enter");
  await message(page.page, "typed without a mouse").waitFor();
  const reached = new Set<string>();
  for (let presses = 0; presses < 80; presses += 1) {
    await page.page.keyboard.press("Shift+Tab");
    const name = await page.page.evaluate("document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent");
    reached.add(String(name));
  }
  for (const name of [
    "Skip to the message box",
    "Messages",
    "Connection: Live",
    "Sign out",
    "New channel",
    "Code",
    "Edit message",
    "Delete message",
  ])
    expect(reached).toContain(name);
});
