/** A real browser on the served web app: pages of their own, and what goes wrong in them. */
import { type Browser, type BrowserContext, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import type { Keenchat } from "../../src/keenchat.ts";
import { password, signUp } from "./http.ts";
import { chromiumPath } from "./services.ts";

export function launchBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: chromiumPath,
    args: [
      ...["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"],
      ...["--disable-background-networking", "--disable-component-update", "--disable-sync"],
    ],
  });
}

export interface OpenPage extends AsyncDisposable {
  readonly page: Page;
  readonly context: BrowserContext;
  /** The page's errors, and violations of its security policy. */
  readonly complaints: string[];
}

/** Opens the web app in a context of its own; with a token, signed in. */
export async function openPage(
  browser: Browser,
  url: string,
  { token, path = "/", ...options }: BrowserContextOptions & { token?: string; path?: string } = {},
): Promise<OpenPage> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, locale: "en-GB", ...options });
  if (token !== undefined) await context.addInitScript((value) => localStorage.setItem("keenchat.token", value), token);
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("console", (message) => {
    if (message.type() === "error" && !/Failed to load resource|WebSocket connection/.test(message.text())) complaints.push(message.text());
  });
  await page.goto(url + path);
  return { page, context, complaints, [Symbol.asyncDispose]: () => context.close() };
}

/** A new user, with the chat open in a page of their own. */
export async function enter(
  browser: Browser,
  server: Pick<Keenchat, "restUrl">,
  username: string,
  options: Parameters<typeof openPage>[2] & { url?: string } = {},
): Promise<OpenPage & { id: number; token: string }> {
  const { id, token } = await signUp(server, username);
  const opened = await openPage(browser, options.url ?? server.restUrl, { token, path: "/#/channel/1", ...options });
  await opened.page.getByRole("button", { name: "Connection: Live" }).waitFor({ timeout: 15_000 });
  return { ...opened, id, token };
}

export { password };
