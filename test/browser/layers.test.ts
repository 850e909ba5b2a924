import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { enter, launchBrowser } from "../support/browser.ts";
import { post, request } from "../support/http.ts";
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

/** Resolves when this has the keyboard. */
const hasKeyboard = (page: Page, label: string) => page.locator(`[aria-label^="${label}"]:focus`).waitFor();

/** The buttons that can be seen and lie below something else; runs in the page. */
const findCovered = `[...document.querySelectorAll("button, a")].filter((button) => {
  if (!button.checkVisibility({ opacityProperty: true, visibilityProperty: true })) return false;
  const { x, y, width, height } = button.getBoundingClientRect();
  if (y < 0 || y > innerHeight || width < 2) return false;
  const top = document.elementFromPoint(x + width / 2, y + height / 2);
  return !button.contains(top);
}).map((button) => button.getAttribute("aria-label") ?? button.textContent)`;

test.each([390, 820])(
  "at %i px the people open below the head, cover no button, and go by Escape and a press outside",
  async (width) => {
    await using ann = await enter(browser, server, `people-${width}`, { viewport: { width, height: 800 } });
    const { page } = ann;
    const panel = page.getByRole("complementary", { name: "Who is here" });
    const button = page.getByRole("button", { name: "People here: 1" });
    for (let sent = 0; sent < 40; sent += 1) await post(server, ann.token, 1, `message ${sent}`);
    await page.getByText("message 39").last().waitFor();
    await page.mouse.move(340, 400);
    await page.mouse.wheel(0, -600);
    await page.getByRole("button", { name: "Newest" }).waitFor();
    expect(await panel.isVisible()).toBe(false);
    await button.click();
    await panel.waitFor();
    const [head, shown] = [await page.locator(".head").boundingBox(), await panel.boundingBox()];
    expect(shown?.y).toBeGreaterThanOrEqual((head?.y ?? 0) + (head?.height ?? 0));
    expect(await page.evaluate(findCovered)).toEqual([]);
    await page.keyboard.press("Escape");
    await panel.waitFor({ state: "hidden" });
    await hasKeyboard(page, "People here");
    await button.click();
    await panel.waitFor();
    await button.click();
    await panel.waitFor({ state: "hidden" });
    await button.click();
    await panel.waitFor();
    await page.locator(".head-title").click();
    await panel.waitFor({ state: "hidden" });
    await hasKeyboard(page, "People here");
    expect(ann.complaints).toEqual([]);
  },
  slow,
);

test("with room for them, the people are simply there", { timeout: slow }, async () => {
  await using ann = await enter(browser, server, "roomy");
  const panel = ann.page.getByRole("complementary", { name: "Who is here" });
  await panel.waitFor();
  expect(await ann.page.getByRole("button", { name: "People here" }).count()).toBe(0);
  await ann.page.setViewportSize({ width: 900, height: 800 });
  await panel.waitFor({ state: "hidden" });
  await ann.page.setViewportSize({ width: 1_280, height: 800 });
  await panel.waitFor();
});

test("the connection's details and each dialog go by Escape and by a press outside, and the keyboard is back where it was", {
  timeout: slow,
}, async () => {
  await using ann = await enter(browser, server, "layers");
  const { page } = ann;
  const made = await request(server, "POST", "/channel", { token: ann.token, body: { title: "Own" } });
  const { body } = await post(server, ann.token, made.body.id, "a message");
  await page.goto(`${server.restUrl}/#/channel/${made.body.id}`);
  await page.locator(`[data-id="${body.id}"]`).waitFor();
  const pressOutside = () => page.mouse.click(640, 780);
  const layers: [name: string, layer: string][] = [
    ["Connection: Live", ".drawer"],
    ["New channel", "dialog"],
    ["Channel settings", "dialog"],
    ["Delete message", "dialog"],
  ];
  for (const [name, layer] of layers) {
    for (const close of [() => page.keyboard.press("Escape"), pressOutside]) {
      const button = page.getByRole("button", { name });
      await button.focus();
      await page.keyboard.press("Enter");
      await page.locator(layer).and(page.locator(":visible")).waitFor();
      await close();
      await page.locator(`${layer}:visible`).waitFor({ state: "hidden" });
      await hasKeyboard(page, name);
    }
  }
});

test("after each action the keyboard is where one goes on, and never nowhere", { timeout: 90_000 }, async () => {
  await using ann = await enter(browser, server, "focus", { path: "/#/channel/2" });
  const { page } = ann;
  const inBox = () => hasKeyboard(page, "Message to");
  await inBox();
  await page.getByRole("link", { name: "General" }).click();
  await hasKeyboard(page, "Message to General");
  await page.getByRole("button", { name: "New channel" }).click();
  await page.keyboard.type("Focus");
  await page.keyboard.press("Enter");
  await hasKeyboard(page, "Message to Focus");
  await page.keyboard.type("one");
  await page.getByRole("button", { name: "Send" }).click();
  await page.locator(".row[data-id]").getByText("one").waitFor();
  await inBox();
  await page.getByText("one").hover();
  await page.getByRole("button", { name: "Edit message" }).click();
  await hasKeyboard(page, "Edit your message");
  await page.keyboard.type(" more");
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByText("one more").waitFor();
  await inBox();
  await page.getByText("one more").hover();
  await page.getByRole("button", { name: "Delete message" }).click();
  await page.getByRole("button", { name: "Delete", exact: true }).click();
  await page.getByText("one more").first().waitFor({ state: "detached" });
  await inBox();
  await page.getByRole("button", { name: "Channel settings" }).click();
  await page.getByLabel("Title").fill("Focus here");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Focus here", level: 1 }).waitFor();
  await hasKeyboard(page, "Channel settings");
  await page.getByRole("button", { name: "Channel settings" }).click();
  await page.getByRole("button", { name: "Delete this channel…" }).click();
  await page.keyboard.press("Escape");
  await hasKeyboard(page, "Channel settings");
  await page.getByRole("button", { name: "Channel settings" }).click();
  await page.getByRole("button", { name: "Delete this channel…" }).click();
  await page.getByRole("button", { name: "Delete channel" }).click();
  await page.getByRole("heading", { name: "Focus here", level: 1 }).waitFor({ state: "detached" });
  await inBox();
});

test("on a phone, Back leads to the channel one comes from; what another deletes takes no keyboard away", { timeout: slow }, async () => {
  await using ann = await enter(browser, server, "phone", { viewport: { width: 390, height: 800 }, path: "/#/channel/2" });
  const { page } = ann;
  await page.getByRole("button", { name: "All channels" }).click();
  await page.locator(".channel:focus", { hasText: "Code" }).waitFor();
  await page.keyboard.press("Enter");
  await hasKeyboard(page, "Message to Code");
  const { body } = await post(server, ann.token, 2, "soon gone");
  await page.locator(`[data-id="${body.id}"]`).hover();
  await page.getByRole("button", { name: "Edit message" }).focus();
  await request(server, "DELETE", `/message/${body.id}`, { token: ann.token });
  await hasKeyboard(page, "Message to Code");
});
