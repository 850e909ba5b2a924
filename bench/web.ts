/**
 * How fast the web app is in a real browser, on loopback: `npm run bench:web`. Prints figures beside their goals; exits with 1
 * where one is missed. BENCH_RUNS repeats the loading. What is measured:
 *
 * - script: what a first visit loads of it, in gzip.
 * - interactive: with the processor four times slower, the time from the start of the navigation, nothing cached, until the
 *   message box is there, the newest message is in the page, both are painted, and the page's thread is free to take a key.
 * - shift: the sum of what moved by itself during these loads, as browsers count it.
 * - to the other: from the keydown of Enter in one browser to the message in the other one's document.
 *
 * The figures are those of a machine with nothing else to do: what it does beside is printed as its load.
 */
import { get } from "node:http";
import { cpus, loadavg } from "node:os";
import process from "node:process";
import type { Browser, Page } from "playwright-core";
import { launchBrowser, openPage } from "../test/support/browser.ts";
import { post, signUp } from "../test/support/http.ts";
import { MeasuredServer } from "./measured-server.ts";
import { median, quantile } from "./quantiles.ts";

const loads = Number(process.env["BENCH_RUNS"] ?? 7);
const backlog = 300;
const messages = 200;
const slowDown = 4;
const composer = "#composer";

interface Row {
  readonly what: string;
  readonly figure: number;
  readonly unit: string;
  readonly atMost: number;
  /** What else is worth knowing of the same measurement. */
  readonly beside?: string;
}

const spread = (values: readonly number[]) => `${Math.round(Math.min(...values))} to ${Math.round(Math.max(...values))}`;

function meets({ figure, atMost }: Row): boolean {
  return figure <= atMost;
}

function show(row: Row): void {
  const figure = row.figure >= 100 || row.figure === 0 ? Math.round(row.figure).toLocaleString("en") : row.figure.toPrecision(3);
  const goal = `≤ ${row.atMost.toLocaleString("en")}`;
  console.log(
    [row.what.padEnd(48), figure.padStart(8), row.unit.padEnd(4), goal.padEnd(8), meets(row) ? "met" : "MISSED", row.beside].join(" "),
  );
}

/** What a body weighs on the wire. */
function weigh(url: string): Promise<number> {
  return new Promise((resolve, reject) => {
    get(url, { headers: { "accept-encoding": "gzip" } }, async (response) => {
      let bytes = 0;
      for await (const chunk of response) bytes += (chunk as Buffer).length;
      if (response.headers["content-encoding"] === "gzip") resolve(bytes);
      else reject(new Error(`${url} is not sent in gzip.`));
    }).once("error", reject);
  });
}

/** Runs in a page before anything of it: notes when it is interactive, and what moves. */
const observe = (newest: string) => `
  window.shift = 0;
  new PerformanceObserver((list) => {
    for (const { value, hadRecentInput } of list.getEntries()) if (!hadRecentInput) window.shift += value;
  }).observe({ type: "layout-shift", buffered: true });
  window.interactiveMs = new Promise((resolve) => {
    const observer = new MutationObserver(() => {
      if (!document.querySelector("${composer}") || !document.querySelector(".rows")?.lastElementChild?.textContent.includes("${newest}")) return;
      observer.disconnect();
      // The frame that shows it, and the first task after it.
      requestAnimationFrame(() => setTimeout(() => resolve(performance.now())));
    });
    observer.observe(document, { childList: true, subtree: true });
  });`;

interface Load {
  readonly scripts: readonly string[];
  readonly interactiveMs: number;
  /** What the page's thread used of its processor for it; the rest it waited, for the server or for its turn. */
  readonly threadMs: number;
  readonly shift: number;
}

async function load(browser: Browser, url: string, token: string, newest: string): Promise<Load> {
  await using opened = await openPage(browser, "about:", { token, path: "blank" });
  const { page, context } = opened;
  await context.addInitScript(observe(newest));
  const debug = await context.newCDPSession(page);
  await debug.send("Emulation.setCPUThrottlingRate", { rate: slowDown });
  await debug.send("Performance.enable", { timeDomain: "threadTicks" });
  const scripts: string[] = [];
  page.on("response", (response) => response.request().resourceType() === "script" && scripts.push(response.url()));
  await page.goto(`${url}/#/channel/1`);
  const interactiveMs = (await page.evaluate("window.interactiveMs")) as number;
  const { metrics } = await debug.send("Performance.getMetrics");
  const threadMs = 1_000 * (metrics.find(({ name }) => name === "TaskDuration")?.value ?? Number.NaN);
  await page.locator(composer).focus();
  await page.keyboard.press("x");
  if ((await page.locator(composer).inputValue()) !== "x") throw new Error("The message box took no key.");
  return { scripts, interactiveMs, threadMs, shift: (await page.evaluate("window.shift")) as number };
}

/** Both pages' clocks are this machine's: an origin in Unix time, and what went by since. */
const now = "performance.timeOrigin + performance.now()";

async function travel(from: Page, to: Page): Promise<number[]> {
  await from.evaluate(`addEventListener("keydown", ({ key }) => { if (key === "Enter") window.sentAt = ${now}; }, { capture: true })`);
  const times: number[] = [];
  for (let index = 0; index < messages; index += 1) {
    const text = `travelling ${index}.`;
    await to.evaluate(`window.arrived = new Promise((resolve) => {
      const observer = new MutationObserver(() => {
        if (!document.querySelector(".rows").lastElementChild?.textContent.includes("${text}")) return;
        observer.disconnect();
        resolve(${now});
      });
      observer.observe(document, { childList: true, subtree: true, characterData: true });
    }); undefined`);
    await from.locator(composer).fill(text);
    await from.keyboard.press("Enter");
    const arrivedAt = (await to.evaluate("window.arrived")) as number;
    times.push(arrivedAt - ((await from.evaluate("window.sentAt")) as number));
  }
  return times;
}

const server = await MeasuredServer.start("keenchat");
const browser = await launchBrowser();
const rows: Row[] = [];
try {
  const restUrl = `http://127.0.0.1:${server.port}`;
  const [ann, ben] = [await signUp({ restUrl }, "ann"), await signUp({ restUrl }, "ben")];
  for (let sent = 1; sent <= backlog; sent += 1) {
    await post({ restUrl }, (sent % 3 ? ann : ben).token, 1, `message ${sent}. `.repeat(1 + (sent % 7)));
  }
  const results: Load[] = [];
  for (let run = 0; run < loads; run += 1) results.push(await load(browser, restUrl, ann.token, `message ${backlog}.`));
  const scripts = new Set(results.flatMap((result) => result.scripts));
  const bytes = await Promise.all([...scripts].map(weigh));
  rows.push({ what: "script of a first load, gzip", figure: bytes.reduce((sum, each) => sum + each, 0) / 1_024, unit: "kB", atMost: 120 });
  const interactive = results.map(({ interactiveMs }) => interactiveMs);
  const busyMs = median(results.map(({ threadMs }) => threadMs));
  const beside = `median of ${loads}, ${spread(interactive)}; ${Math.round(busyMs)} of them its own thread's`;
  rows.push({ what: `interactive, processor ${slowDown} × slower`, figure: median(interactive), unit: "ms", atMost: 1_000, beside });
  rows.push({ what: "shift while loading, the worst", figure: Math.max(...results.map(({ shift }) => shift)), unit: "", atMost: 0 });

  await using from = await openPage(browser, restUrl, { token: ann.token, path: "/#/channel/1" });
  await using to = await openPage(browser, restUrl, { token: ben.token, path: "/#/channel/1" });
  for (const { page } of [from, to]) await page.getByRole("button", { name: "Connection: Live" }).waitFor();
  for (const { page } of [from, to]) await page.locator(composer).waitFor();
  const times = await travel(from.page, to.page);
  rows.push({
    what: "a message to the other browser, p95",
    figure: quantile(times, 0.95),
    unit: "ms",
    atMost: 100,
    beside: `median ${median(times).toFixed(1)}, ${spread(times)}, of ${messages}`,
  });
} finally {
  await browser.close();
  await server.stop();
}
for (const row of rows) show(row);
console.log(`${cpus().length} × ${cpus()[0]?.model}, load ${loadavg()[0]?.toFixed(1)}, Chromium ${browser.version()}`);
process.exitCode = rows.every(meets) ? 0 : 1;
