import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { launchBrowser, openPage, password } from "../support/browser.ts";
import { post, signUp } from "../support/http.ts";
import { startPrefixProxy } from "../support/prefix-proxy.ts";
import { startServer } from "../support/server.ts";

let browser: Browser;
beforeAll(async () => {
  browser = await launchBrowser();
});
afterAll(() => browser.close());

test("the web app runs below a path that a proxy takes away, and asks for nothing beside it", { timeout: 60_000 }, async () => {
  await using server = await startServer();
  await using proxy = await startPrefixProxy("/chat", () => server.restUrl);
  await using door = await openPage(browser, proxy.url);
  const { page, complaints } = door;
  const refused: string[] = [];
  page.on("response", (response) => void (response.status() >= 400 && refused.push(response.url())));
  await page.getByRole("button", { name: "Create an account" }).click();
  await page.getByLabel("Name").fill("newcomer");
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Create account" }).click();
  await page.getByRole("button", { name: "Connection: Live" }).waitFor();
  const { token } = await signUp(server, "ann");
  await post(server, token, 1, "below a path");
  await page.getByText("below a path").first().waitFor();
  await page.reload();
  await page.getByText("below a path").first().waitFor();
  expect(await page.evaluate(() => Object.keys(localStorage).filter((key) => key.includes("token")))).toEqual(["keenchat /chat/.token"]);
  expect([complaints, refused]).toEqual([[], []]);
});
