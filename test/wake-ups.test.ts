/** Delivery needs no timer: here the clock stands still, so that nothing but a wake-up moves a reader on. */
import { expect, test } from "vitest";
import { TestClock } from "./support/clock.ts";
import { post, request, signUp } from "./support/http.ts";
import { startServer, type TestServer } from "./support/server.ts";
import { type Client, connect, majors } from "./support/socket-io.ts";
import { until } from "./support/wait.ts";
import { followingWires, type Reader } from "./support/wires.ts";

const burst = 200;
const inFlight = 8;

interface Sender {
  readonly server: TestServer;
  readonly token: string;
}

async function startStill(): Promise<Sender & AsyncDisposable> {
  const server = await startServer({}, { clock: new TestClock() });
  const { token } = await signUp(server, "ann");
  return { server, token, [Symbol.asyncDispose]: () => server.close() };
}

async function postBurst({ server, token }: Sender): Promise<number[]> {
  const ids: number[] = [];
  const writers = Array.from({ length: inFlight }, async () => {
    for (let left = burst / inFlight; left > 0; left -= 1) ids.push((await post(server, token, 1, "in a burst")).body.id);
  });
  await Promise.all(writers);
  return ids.sort((a, b) => a - b);
}

const cursorOf = async ({ server }: Sender): Promise<string> => (await request(server, "GET", "/event")).body.cursor;

interface Followed {
  readonly items: readonly { readonly event: string; readonly data: { readonly id: number } }[];
}

const idsOf = ({ items }: Followed) => items.filter(({ event }) => event === "post message").map(({ data }) => data.id);

async function expectAll(readers: readonly Followed[], ids: readonly number[]): Promise<void> {
  await until(`${readers.length} × ${ids.length} messages`, 10_000, () => readers.every((reader) => idsOf(reader).length >= ids.length));
  for (const reader of readers) expect(idsOf(reader)).toEqual(ids);
}

test.each(followingWires)("over %s ten readers get every event of a burst, once and in order", async (_name, open) => {
  await using sender = await startStill();
  const cursor = await cursorOf(sender);
  const readers: Reader[] = await Promise.all(Array.from({ length: 10 }, () => open(sender.server, { cursor })));
  await Promise.all(readers.map(({ inbox }) => inbox.take("ready", ({ event }) => event === "ready")));
  const ids = await postBurst(sender);
  await expectAll(
    readers.map(({ inbox }) => inbox),
    ids,
  );
  for (const reader of readers) reader.cut();
});

test.each(followingWires)("over %s a replay that is more than a reader takes at once ends with `ready`", async (_name, open) => {
  await using sender = await startStill();
  const cursor = await cursorOf(sender);
  // 60 kB of JSON each; the last of them fills what may wait for a reader.
  for (let index = 0; index < 5; index += 1) await post(sender.server, sender.token, 1, `a${"\u0001".repeat(9_999)}`);
  const reader = await open(sender.server, { cursor });
  await reader.inbox.take("ready", ({ event }) => event === "ready");
  expect(reader.inbox.items.map(({ event }) => event)).toEqual([...Array<string>(5).fill("post message"), "ready"]);
  reader.cut();
});

const asFollowed = ({ received }: Client): Followed => ({ items: received });

test.each(["websocket", "polling", "upgrade"] as const)(
  "over Socket.IO, by %s, ten clients get every event of a burst",
  async (transport) => {
    await using sender = await startStill();
    const clients = await Promise.all(Array.from({ length: 10 }, () => connect(sender.server, "4.8", transport)));
    await expectAll(clients.map(asFollowed), await postBurst(sender));
    await Promise.all(clients.map((client) => client[Symbol.asyncDispose]()));
  },
);

test.each(majors)("a client of Socket.IO %s that changes its transport in the middle of a burst misses nothing", async (major) => {
  await using sender = await startStill();
  const cursor = await cursorOf(sender);
  const posting = postBurst(sender);
  const clients = await Promise.all(Array.from({ length: 5 }, () => connect(sender.server, major, "upgrade", { cursor })));
  await expectAll(clients.map(asFollowed), await posting);
  await Promise.all(clients.map((client) => client[Symbol.asyncDispose]()));
});
