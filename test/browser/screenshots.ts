/** Makes web/screenshots: the states a person meets, each as a real server and a real browser show it. `npm run screenshots -w web`. */
import { mkdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Page } from "playwright-core";
import { systemClock } from "../../src/core/clock.ts";
import { launchBrowser, openPage } from "../support/browser.ts";
import { post, request, signUp } from "../support/http.ts";
import { startServer } from "../support/server.ts";
import { TcpProxy } from "../support/tcp-proxy.ts";

const directory = fileURLToPath(new URL("../../web/screenshots/", import.meta.url));
mkdirSync(directory, { recursive: true });

// The same picture on every day: the server's wall clock, and the pages', begin here.
const morning = Date.parse("2026-11-23T09:41:00Z");
const dayMs = 86_400_000;
const minuteMs = 60_000;
let wall = morning - dayMs;
const clock = { ...systemClock, now: () => wall };

await using server = await startServer({}, { clock });
await using browser = await launchBrowser();
const people = {
  mara: await signUp(server, "mara"),
  tomasz: await signUp(server, "tomasz"),
  ines: await signUp(server, "ines"),
  kofi: await signUp(server, "kofi"),
  yael: await signUp(server, "yael"),
};
type Name = keyof typeof people;

async function channel(title: string, description: string): Promise<number> {
  const made = await request(server, "POST", "/channel", { token: people.mara.token, body: { title, description } });
  return made.body.id;
}

async function say(channelId: number, name: Name, text: string, minutes = 0): Promise<number> {
  wall += minutes * minuteMs;
  return (await post(server, people[name].token, channelId, text)).body.id;
}

async function open(name: Name | undefined, channelId?: number, options: Parameters<typeof openPage>[2] = {}, url = server.restUrl) {
  const opened = await openPage(browser, url, {
    timezoneId: "UTC",
    ...(name && { token: people[name].token }),
    path: channelId === undefined ? "/" : `/#/channel/${channelId}`,
    ...options,
  });
  await opened.page.clock.setFixedTime(wall);
  if (name) await opened.page.reload();
  return opened;
}

async function live(page: Page): Promise<void> {
  await page.getByRole("button", { name: "Connection: Live" }).waitFor();
  await page.locator("[aria-label=Messages][aria-busy=false]").waitFor();
}

async function shoot(page: Page, name: string): Promise<void> {
  // Names and colours have come, and what moves has moved.
  await page.waitForTimeout(600);
  await page.screenshot({ path: `${directory}${name}.png`, animations: "disabled", caret: "hide" });
  console.log(name);
}

const phone = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true, deviceScaleFactor: 1 };
const { restUrl } = server;

{
  await using door = await open(undefined);
  await shoot(door.page, "signed-out");
}

// A busy channel: two days, several people, links, code, an edit.
const harbour = await channel("Harbour walk", "The audio walk through the old harbour. Opens on 4 December.");
const releases = await channel("Releases", "What went out, and when.");
const lunch = await channel("Lunch", "");
await say(harbour, "ines", "The customs house said yes! We may put the first stop right under the clock.");
await say(harbour, "tomasz", "That's the best news this week.", 2);
await say(
  harbour,
  "tomasz",
  "I'll move the opening recording there. The gulls are louder than I'd like, but people should know where they are.",
  1,
);
await say(
  harbour,
  "kofi",
  "Floor plan of the ground level, with the sockets marked:\nhttps://harbour.example/plans/customs-house-2026.pdf",
  40,
);
wall = morning - 38 * minuteMs;
await say(harbour, "mara", "Morning! Three things for today:");
await say(
  harbour,
  "mara",
  "1. the text for stop 4 is still 90 seconds too long\n2. headphones arrive at ten, somebody has to sign\n3. Yael tests the route with a pushchair",
);
const route = await say(
  harbour,
  "yael",
  "Pushchair done: everything works except the steps behind the fish hall. There is a ramp 40 m further on.",
  14,
);
await request(server, "PUT", `/message/${route}`, {
  token: people.yael.token,
  body: {
    message_text:
      "Pushchair done: everything works except the steps behind the fish hall. There is a ramp 60 m further on, we should point to it.",
  },
});
await say(harbour, "kofi", "I can sign for the headphones.", 3);
await say(harbour, "ines", "And I'll cut stop 4. If the joke about the harbour master has to go, it has to go.", 6);
await say(harbour, "tomasz", "Not the joke!", 1);
await say(harbour, "ines", "Then the year of the great flood.", 1);
await say(lunch, "kofi", "Soup or soup?");

{
  await using page = await open("mara", harbour);
  await live(page.page);
  const others = await Promise.all((["tomasz", "ines", "kofi"] as const).map((name) => open(name, harbour)));
  await Promise.all(others.map((other) => live(other.page)));
  await page.page.getByText("Here now 4").waitFor();
  await say(releases, "tomasz", "0.9 is out.");
  await say(releases, "tomasz", "And 0.9.1, ten minutes later.");
  await shoot(page.page, "busy-channel");

  await others[1]?.page.getByLabel("Message to Harbour walk").pressSequentially("A wo");
  await others[2]?.page.getByLabel("Message to Harbour walk").pressSequentially("I");
  await page.page.getByText("ines and kofi are typing").waitFor();
  await shoot(page.page, "typing-and-presence");
  await page.page.getByRole("button", { name: "Connection: Live" }).click();
  await page.page.getByRole("button", { name: "Drop my connection" }).click();
  await live(page.page);
  await shoot(page.page, "connection-details");
  for (const other of others) await other.context.close();
}
{
  await using page = await open("mara", harbour, { colorScheme: "dark" });
  await live(page.page);
  await shoot(page.page, "dark");
}
{
  await using page = await open("mara", harbour, phone);
  await live(page.page);
  await shoot(page.page, "phone");
  await page.page.getByRole("button", { name: "All channels" }).click();
  await shoot(page.page, "phone-channels");
}
{
  await using page = await open("mara", releases);
  await live(page.page);
  const empty = await channel("Night shift", "For whoever is still awake.");
  await page.page.goto(`${restUrl}/#/channel/${empty}`);
  await page.page.getByText("The first word is yours").waitFor();
  await shoot(page.page, "empty-channel");
}

const languages = await channel("שפות ועוד", "Every script is welcome. كل الكتابات مرحب بها.");
await say(languages, "yael", "בוקר טוב! מישהו ראה את הקובץ ‎harbour-walk-final-v7.wav‎? הוא היה בתיקייה המשותפת.");
await say(languages, "kofi", "صباح الخير، الملف هنا: https://harbour.example/audio/7 — أخبروني إن كان واضحًا.", 2);
await say(languages, "ines", "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft".repeat(3), 7);
await say(languages, "tomasz", "Ελληνικά тоже, i zażółć gęślą jaźń.", 1);
await say(languages, "tomasz", "Mixed: the label says “שלום, world!” and the file is called مرحبا.txt — both stay readable.");
await say(languages, "mara", "<img src=x onerror=alert(1)> stays what it is: text.", 2);
{
  await using page = await open("mara", languages);
  await live(page.page);
  await shoot(page.page, "long-and-right-to-left");
}
{
  await using page = await open("mara", lunch);
  await live(page.page);
  await page.page.getByLabel("Message to Lunch").fill("Soup. Here is why. ".repeat(600));
  await page.page.getByRole("button", { name: "Send" }).click();
  await page.page.getByText("Not sent.").waitFor();
  await shoot(page.page, "refused-message");
}
{
  const proxy = await TcpProxy.start(Number(new URL(restUrl).port));
  await using page = await open("kofi", harbour, {}, `http://127.0.0.1:${proxy.port}`);
  await live(page.page);
  proxy.set("cut");
  await page.page.getByRole("button", { name: "Connection: Offline" }).waitFor();
  await page.page.getByLabel("Message to Harbour walk").fill("Headphones are here, all forty.");
  await page.page.keyboard.press("Enter");
  await page.page.getByText("Not sent yet").waitFor();
  await shoot(page.page, "offline");
  await proxy.close();
}
{
  await using page = await open("kofi", harbour);
  let held = false;
  await page.page.routeWebSocket(/\/trpc/, (socket) => {
    const upstream = socket.connectToServer();
    // What the server says after the next opening is held back, so that the moment stands still.
    upstream.onMessage((message) => held || socket.send(message));
  });
  await page.page.reload();
  await live(page.page);
  held = true;
  await page.page.getByRole("button", { name: "Connection: Live" }).click();
  await page.page.getByRole("button", { name: "Drop my connection" }).click();
  await page.page.getByRole("button", { name: "Close" }).click();
  await page.page.getByText("Catching up with what you missed").waitFor();
  await shoot(page.page, "catching-up");
}
{
  for (const each of (await request(server, "GET", "/channel")).body) {
    await request(server, "DELETE", `/channel/${each.id}`, { token: people.mara.token });
  }
  await using page = await open("mara");
  await page.page.getByText("No channels yet").waitFor();
  await shoot(page.page, "empty-server");
}
