import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { systemClock } from "../../src/core/clock.ts";
import { enter, launchBrowser, openPage } from "../support/browser.ts";
import { post, request, signUp } from "../support/http.ts";
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
const days = (page: Page) => page.locator(".day").allInnerTexts();

test("a page that stays open over midnight calls the day before yesterday's by its name, and one that comes back does at once", {
  timeout: slow,
}, async () => {
  const evening = new Date("2026-06-10T20:50:00Z").getTime();
  await using own = await startServer({}, { clock: { ...systemClock, now: () => evening } });
  const { token } = await signUp(own, "ann");
  await post(own, token, 1, "good evening");
  await using opened = await openPage(browser, own.restUrl, { token, timezoneId: "Africa/Cairo", path: "/#/channel/2" });
  const { page } = opened;
  await page.clock.install({ time: evening });
  await page.goto(`${own.restUrl}/#/channel/1`);
  await page.reload();
  await page.getByText("good evening").waitFor();
  expect(await days(page)).toEqual(["Today"]);
  await page.clock.runFor("08:00");
  expect(await days(page)).toEqual(["Today"]);
  await page.clock.runFor("02:01");
  expect(await days(page)).toEqual(["Yesterday"]);
  // A laptop slept over two days: no timer has run when its page is looked at again.
  await page.clock.pauseAt(evening + 2 * 86_400_000);
  await page.evaluate("document.dispatchEvent(new Event('visibilitychange'))");
  expect(await days(page)).toEqual(["Wednesday 10 June"]);
});

test("what is opened with Show all stays where it is, at the end of the list too, and Show less leaves its button", {
  timeout: slow,
}, async () => {
  const { token } = await signUp(server, "writer");
  const made = await request(server, "POST", "/channel", { token, body: { title: "Long" } });
  const long = Array.from({ length: 120 }, (_, line) => `line ${line}`).join("\n");
  for (const text of ["before", long, "after", long]) await post(server, token, made.body.id, text);
  await using reader = await openPage(browser, server.restUrl, { token, path: `/#/channel/${made.body.id}` });
  const { page } = reader;
  for (const index of [1, 0]) {
    const button = page.getByRole("button", { name: /^Show/ }).nth(index);
    const text = page.locator(".text", { hasText: "line 119" }).nth(index);
    await button.scrollIntoViewIfNeeded();
    const top = (await text.boundingBox())?.y;
    await button.click();
    await page.getByRole("button", { name: "Show less" }).waitFor();
    await page.evaluate("new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)))");
    expect((await text.boundingBox())?.y).toBeCloseTo(top ?? 0, 0);
    await button.scrollIntoViewIfNeeded();
    const place = (await button.boundingBox())?.y;
    await button.click();
    await page.evaluate("new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)))");
    expect((await button.boundingBox())?.y).toBeCloseTo(place ?? 0, 0);
  }
});

test("a link stands for itself in a text that runs the other way, and says the host it opens", { timeout: slow }, async () => {
  const { token } = await signUp(server, "linker");
  const made = await request(server, "POST", "/channel", { token, body: { title: "Links" } });
  const texts = [
    "\u202ehttps://evil.example/moc.elpmaxe.knab//:sptth",
    "https://b\u0430nk.example/ and",
    "https://bank.example@evil.example/",
  ];
  for (const text of texts) await post(server, token, made.body.id, text);
  await using reader = await openPage(browser, server.restUrl, { token, path: `/#/channel/${made.body.id}` });
  const { page } = reader;
  await page.locator(".row .text").nth(2).waitFor();
  expect(await page.locator(".row .text").allTextContents()).toEqual(texts);
  const links = await page.evaluate(`[...document.querySelectorAll(".row a")].map((link) => {
    const range = document.createRange();
    const at = (index) => {
      range.setStart(link.firstChild, index);
      range.setEnd(link.firstChild, index + 1);
      return range.getBoundingClientRect().left;
    };
    return { isLeftToRight: at(0) < at(9), after: getComputedStyle(link, "::after").content };
  })`);
  expect(links).toEqual([
    { isLeftToRight: true, after: "none" },
    { isLeftToRight: true, after: '" (xn--bnk-6cd.example)"' },
  ]);
});

/** Takes a word of an input method with Enter, in the order of one browser or the other. */
const compose = (page: Page, selector: string, text: string, order: string) =>
  page.evaluate(`new Promise((resolve) => {
    const box = document.querySelector(${JSON.stringify(selector)});
    box.focus();
    box.dispatchEvent(new CompositionEvent("compositionstart", { bubbles: true }));
    Object.getOwnPropertyDescriptor(HTMLTextAreaElement.prototype, "value").set.call(box, ${JSON.stringify(text)});
    box.dispatchEvent(new InputEvent("input", { bubbles: true, isComposing: true, data: ${JSON.stringify(text)} }));
    const end = () => box.dispatchEvent(new CompositionEvent("compositionend", { bubbles: true, data: ${JSON.stringify(text)} }));
    const isSafari = ${order === "safari"};
    const options = { keyCode: 229, bubbles: true, cancelable: true, isComposing: !isSafari };
    requestAnimationFrame(() => {
      if (isSafari) end();
      for (const key of ["Enter", "Escape"]) box.dispatchEvent(new KeyboardEvent("keydown", { key, ...options }));
      if (!isSafari) end();
      resolve();
    });
  })`);

test("Enter that takes a word of an input method sends nothing, in whichever order the browser tells of it", {
  timeout: slow,
}, async () => {
  await using ann = await enter(browser, server, "ann");
  const { page } = ann;
  const said = async () =>
    (await request(server, "GET", `/message?user_id=${ann.id}`)).body.map(({ message_text }: { message_text: string }) => message_text);
  for (const order of ["chrome", "safari"]) {
    await compose(page, "#composer", "途中", order);
    expect(await page.getByLabel("Message to General").inputValue()).toBe("途中");
  }
  await page.keyboard.press("Enter");
  await page.locator(".row[data-id]").getByText("途中").waitFor();
  await page.keyboard.press("ArrowUp");
  await page.getByLabel("Edit your message").waitFor();
  for (const order of ["chrome", "safari"]) await compose(page, ".editor textarea", "変更中", order);
  expect(await page.getByLabel("Edit your message").inputValue()).toBe("変更中");
  await page.keyboard.press("Escape");
  await page.getByLabel("Edit your message").waitFor({ state: "detached" });
  expect(await said()).toEqual(["途中"]);
});
