/** A PostgreSQL that really ends and comes back, under load; and one whose counter row somebody holds. */

import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Cluster, startCluster } from "../support/cluster.ts";
import { post, request, signUp } from "../support/http.ts";
import { balance, follow, Load, long } from "../support/ledger.ts";
import { measured } from "../support/measured.ts";
import { PostgresServer } from "../support/postgres-server.ts";
import { until } from "../support/wait.ts";
import { openPlain } from "../support/wires.ts";

const timeout = 120_000 * long;

let server: PostgresServer;
let cluster: Cluster;
let ann: { id: number; token: string };
beforeAll(async () => {
  server = await PostgresServer.start();
  cluster = await startCluster({ serverUrl: server.url });
  ann = await signUp(cluster.node(0), "ann");
}, 120_000);
afterAll(async () => {
  await cluster[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});

/** Every node takes posts again; gives how long after this that was. */
async function recovery(): Promise<number> {
  const times = cluster.nodes.map((node) =>
    until("taking posts again", 30_000, async () => (await post(node, ann.token, 2, "is it back?")).status === 201),
  );
  return Math.max(...(await Promise.all(times)));
}

test.each([
  ["restarted", "fast", 0],
  ["stopped at once and started after a while", "immediate", 10],
  ["killed and started after a while", "kill", 10],
] as const)("PostgreSQL %s under load: nothing lost, nothing twice, and the sockets stay", { timeout }, async (_, how, refusals) => {
  const followers = await follow(cluster, 3);
  const load = new Load(() => cluster.nodes, ann.token, 16);
  await load.more(100);
  await server.stop(how);
  // So long that every node has noticed.
  if (refusals > 0) await until("refusals", 20_000, () => (load.statuses.get(503) ?? 0) >= refusals * 16);
  await server.start();
  measured("G11", "normal after PostgreSQL's return", 5_000, await recovery());
  await load.more(100);
  await balance(`PostgreSQL ended (${how})`, cluster, ann.token, load, followers);
  measured("G11", "503 while PostgreSQL is down, under load", 2_000, load.slowestMs.get(503) ?? 0);
  for (const follower of followers) {
    expect(follower.moves).toBe(0);
    follower.stop();
  }
});

/** A session that takes the counter row's lock and says nothing more, as a writer that was stopped in its transaction. */
async function stall(settings = ""): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: cluster.databaseUrl });
  client.on("error", () => {});
  await client.connect();
  await client.query(`${settings} begin; select 1 from counter where id = 1 for update`);
  return client;
}

test.each([
  ["until it is gone", ""],
  ["until PostgreSQL ends it", "set idle_in_transaction_session_timeout = '3s';"],
])("a stalled writer holds up those who write, %s, and nobody else", { timeout }, async (_, settings) => {
  const readers = await Promise.all(cluster.nodes.map((node) => openPlain(node)));
  const stalled = await stall(settings);
  const gone = new Promise((resolve) => stalled.once("end", resolve));
  const attempts = cluster.nodes.map(async (node) => {
    const started = performance.now();
    const { status } = await post(node, ann.token, 1, "held up");
    return { status, ms: performance.now() - started };
  });
  const reads = cluster.nodes.map((node) => request(node, "GET", "/message?limit=1", { token: ann.token }));
  for (const { status } of await Promise.all(reads)) expect(status).toBe(200);
  for (const { status, ms } of await Promise.all(attempts)) {
    expect(status).toBe(503);
    measured("G11", "503 while a stalled writer holds the counter", 2_000, ms);
  }
  if (settings === "") await stalled.end();
  await gone;
  measured("G11", "normal after a stalled writer is gone", 5_000, await recovery());
  const { body } = await post(cluster.node(0), ann.token, 1, "afterwards");
  for (const reader of readers) {
    await reader.inbox.take("what was posted afterwards", ({ data }) => data?.id === body.id);
    expect(reader.inbox.items.some(({ data }) => data?.message_text === "held up")).toBe(false);
    reader.cut();
  }
});
