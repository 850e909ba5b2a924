import { afterAll, beforeAll, expect, test } from "vitest";
import { type Cluster, type Node, startCluster } from "../support/cluster.ts";
import { runAsOwner } from "../support/database.ts";
import { post, request, signUp } from "../support/http.ts";
import { balance, follow, Load, long } from "../support/ledger.ts";
import { measured } from "../support/measured.ts";
import { until } from "../support/wait.ts";
import { openPlain } from "../support/wires.ts";

const timeout = 90_000 * long;

let cluster: Cluster;
let ann: { id: number; token: string };
beforeAll(async () => {
  cluster = await startCluster();
  ann = await signUp(cluster.node(0), "ann");
}, 120_000);
afterAll(() => cluster[Symbol.asyncDispose]());

/** Cuts the node's connection around its next COMMIT. */
function loseCommit(node: Node, what: "question" | "answer"): Promise<void> {
  return node.postgres.lose(
    what,
    (question) => question.includes("commit\0"),
    (answer) => /COMMIT|ROLLBACK/.test(answer),
  );
}

async function timed<T>(work: () => Promise<T>): Promise<{ ms: number; value: T }> {
  const started = performance.now();
  const value = await work();
  return { ms: performance.now() - started, value };
}

/** How long after this the node takes posts again. */
function recovery(node: Node): Promise<number> {
  return until("taking posts again", 30_000, async () => (await post(node, ann.token, 1, "is it back?")).status === 201);
}

test.each(["swallow", "swallow questions", "swallow answers", "freeze", "cut"] as const)(
  "a node whose PostgreSQL is away (%s) refuses in time, keeps its sockets and comes back by itself",
  { timeout },
  async (how) => {
    const node = cluster.node(0);
    const socket = await openPlain(node);
    await socket.settled();
    // So that all its connections are open, and each can fall silent.
    await Promise.all(Array.from({ length: 20 }, () => request(node, "GET", "/channel")));
    node.postgres.set(how);
    const read = () => timed(() => request(node, "GET", "/channel", { token: ann.token }));
    const first = read();
    // By now its look at the table is under way, and whoever reads next waits behind it.
    await request(node, "GET", "/live");
    const write = () => timed(() => post(node, ann.token, 1, "never"));
    const requests = await Promise.all([first, read(), write(), read(), write()]);
    const next = await write();
    const ready = await timed(() => request(node, "GET", "/ready"));
    for (const { value } of [...requests, next, ready]) expect(value.status).toBe(503);
    expect(ready.value.body.error).toMatch(/^The database does not answer \(.+\)\.$/);
    expect(next.value.headers.get("retry-after")).toBe("1");
    expect((await request(node, "GET", "/live")).status).toBe(200);
    const elsewhere = await post(cluster.node(1), ann.token, 1, `while ${how}`);
    expect(elsewhere.status).toBe(201);

    node.postgres.set("pass");
    const back = await recovery(node);
    await socket.inbox.take("what was posted elsewhere", ({ data }) => data?.id === elsewhere.body.id, 10_000);
    measured("G11", "503 while PostgreSQL is away", 2_000, Math.max(...[...requests, next].map(({ ms }) => ms)));
    measured("G11", "normal after PostgreSQL's return", 5_000, back);
    expect(socket.ws.readyState).toBe(socket.ws.OPEN);
    socket.cut();
  },
);

test.each(["question", "answer"] as const)(
  "a post whose COMMIT has lost its %s is repeated with its key and stands once",
  { timeout },
  async (what) => {
    const node = cluster.node(0);
    const body = { channel_id: 2, message_text: "once", client_message_id: `lost ${what}` };
    const { length: before } = (await request(node, "GET", "/message?channel_id=2")).body;
    const lost = loseCommit(node, what);
    const first = await request(node, "POST", "/message", { token: ann.token, body });
    await lost;
    expect(first.status).toBe(503);
    const again = await request(node, "POST", "/message", { token: ann.token, body });
    expect(again.status).toBe(what === "answer" ? 200 : 201);
    const { body: all } = await request(cluster.node(1), "GET", "/message?channel_id=2");
    expect(all.slice(before).map(({ id }: { id: number }) => id)).toEqual([again.body.id]);
  },
);

test("connections cut and a node stopped inside its transaction, under load: nothing lost, nothing twice, one order", {
  timeout,
}, async () => {
  const followers = await follow(cluster, 3);
  const load = new Load(() => cluster.nodes, ann.token, 6);
  const name = new URL(cluster.databaseUrl).pathname.slice(1);
  for (let round = 0; round < 3; round += 1) {
    await load.more(30);
    await runAsOwner(`select pg_terminate_backend(pid) from pg_stat_activity where datname = '${name}'`);
    await load.more(30);
    for (const what of ["question", "answer"] as const) {
      const lost = loseCommit(cluster.node(round), what);
      await Promise.all([lost, load.more(15)]);
    }
  }
  // A transaction that holds the counter row and says nothing more: what a stopped node looks like to the others.
  cluster.node(2).postgres.set("swallow");
  await load.more(60);
  cluster.node(2).postgres.set("pass");
  await balance("PostgreSQL's connections cut, commits unanswered, a node silent", cluster, ann.token, load, followers);
  for (const follower of followers) follower.stop();
});
