/** `npm run cluster`, as somebody runs it who wants to see it work. */
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { createPostgres } from "../support/database.ts";
import { post, request, signUp } from "../support/http.ts";
import { startProcess } from "../support/process.ts";
import { freePort } from "../support/redis-server.ts";
import { postgresUrl, redisUrl } from "../support/services.ts";
import { openPlain } from "../support/wires.ts";

const timeout = 60_000;
const clusterFile = fileURLToPath(new URL("../../deploy/cluster.ts", import.meta.url));
const command = [process.execPath, clusterFile] as const;

test("`npm run cluster` serves a chat from three nodes, and goes on when one is ended", { timeout }, async () => {
  const database = await createPostgres();
  const [PORT, WEBSOCKETS_PORT] = [String(await freePort()), String(await freePort())];
  const cluster = startProcess({ DATABASE_URL: database.url, REDIS_URL: redisUrl, PORT, WEBSOCKETS_PORT }, { command });
  const line = await cluster.stdout.take("all nodes", (text) => text.startsWith("All 3 nodes"), 60_000);
  const pids = [...line.matchAll(/kill (\d+)/g)].map(([, pid]) => Number(pid));
  expect(pids).toHaveLength(3);

  const address = { restUrl: `http://127.0.0.1:${PORT}`, wsUrl: `ws://127.0.0.1:${WEBSOCKETS_PORT}` };
  const { token } = await signUp(address, "ann");
  const readers = await Promise.all([0, 1, 2].map(() => openPlain(address)));
  for (const reader of readers) await reader.settled();
  const first = await post(address, token, 1, "with three");
  for (const reader of readers) await reader.inbox.take("the first", ({ data }) => data?.id === first.body.id);

  // One of them sat on it, and the others did not notice.
  process.kill(pids[0] as number, "SIGKILL");
  await cluster.stdout.take("its end", (text) => text === "node 1 has ended with SIGKILL.");
  const closed = readers.map((reader) => reader.closed.then(() => reader));
  const gone = await Promise.race(closed);
  const { body: second } = await post(address, token, 1, "with two");
  for (const reader of readers) if (reader !== gone) await reader.inbox.take("the second", ({ data }) => data?.id === second.id);
  for (let turn = 0; turn < 6; turn += 1) expect((await request(address, "GET", "/message?limit=2")).body).toHaveLength(2);

  expect(await cluster.end("SIGTERM")).toEqual({ code: 0, signal: null });
  for (const reader of readers) reader.cut();
  await database.drop();
});

test("`npm run cluster` without its database says what is missing, and leaves nothing behind", { timeout }, async () => {
  const url = Object.assign(new URL(postgresUrl), { pathname: "/keenchat_test_nowhere" }).href;
  const cluster = startProcess({ DATABASE_URL: url, REDIS_URL: redisUrl }, { command });
  expect(await cluster.ended).toEqual({ code: 78, signal: null });
  expect(cluster.stderr.items.join("\n")).toMatch(/DATABASE_URL cannot be used: .*does not exist/);
});

test.each(["PORT", "WEBSOCKETS_PORT"])(
  "`npm run cluster` with a taken %s says so in one line, and leaves nothing behind",
  {
    timeout,
  },
  async (name) => {
    const database = await createPostgres();
    const taken = createServer().listen(0, "127.0.0.1");
    await once(taken, "listening");
    const port = String((taken.address() as AddressInfo).port);
    const ports = { PORT: String(await freePort()), WEBSOCKETS_PORT: String(await freePort()), [name]: port };
    await using cluster = startProcess({ DATABASE_URL: database.url, REDIS_URL: redisUrl, ...ports }, { command });
    expect(await cluster.ended).toEqual({ code: 78, signal: null });
    expect(cluster.stderr.items).toEqual([`${name} ${port} is taken by another process`]);
    expect(cluster.stdout.items.filter((line) => line.startsWith("All"))).toEqual([]);
    taken.close();
    await database.drop();
  },
);
