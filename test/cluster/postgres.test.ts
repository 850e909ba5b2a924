import process from "node:process";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Cluster, type Node, startCluster } from "../support/cluster.ts";
import { createPostgres, postgresUrl, runAsOwner } from "../support/database.ts";
import { post, request, signUp } from "../support/http.ts";
import { balance, follow, Load, long } from "../support/ledger.ts";
import { measured } from "../support/measured.ts";
import { serverFile, startProcess } from "../support/process.ts";
import { freePort } from "../support/redis-server.ts";
import { TcpProxy } from "../support/tcp-proxy.ts";
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

test("nodes that start together on an empty database migrate it once", { timeout }, async () => {
  const database = await createPostgres();
  const nodes = [0, 1, 2].map(() => startProcess({ DATABASE_URL: database.url }, { command: [process.execPath, serverFile] }));
  const urls = await Promise.all(nodes.map((node) => node.ready()));
  for (const url of urls) expect((await request(url, "GET", "/channel")).body.map(({ id }: { id: number }) => id)).toEqual([1, 2]);
  expect((await runAsOwner("select 1 from event where name = 'origin'", database.url)).rowCount).toBe(1);
  for (const node of nodes) await node[Symbol.asyncDispose]();
  await database.drop();
});

test.each([
  ["a database that is not there", (url: URL) => Object.assign(url, { pathname: "/keenchat_test_nowhere" })],
  ["a user who is not there", (url: URL) => Object.assign(url, { username: "keenchat_test_nobody" })],
  ["an sslrootcert that is not there", (url: URL) => Object.assign(url, { search: "sslrootcert=/nowhere" })],
  ["an sslcert that is not there", (url: URL) => Object.assign(url, { search: "sslcert=/nowhere" })],
  ["an sslkey that is not there", (url: URL) => Object.assign(url, { search: "sslkey=/nowhere" })],
])("%s stops the start with one line and exit code 78", { timeout }, async (_, change) => {
  await using node = startProcess({ DATABASE_URL: change(new URL(postgresUrl)).href }, { command: [process.execPath, serverFile] });
  expect(await node.ended).toEqual({ code: 78, signal: null });
  expect(node.stderr.items).toHaveLength(1);
  expect(node.stderr.items[0]).toMatch(/^DATABASE_URL cannot be used: /);
});

test("a node started before its database waits, says so, and begins by itself; told to stop, it stops", { timeout }, async () => {
  const database = await createPostgres();
  const wire = await TcpProxy.start(Number(new URL(postgresUrl).port));
  wire.set("cut");
  const url = Object.assign(new URL(database.url), { port: String(wire.port) }).href;
  const port = await freePort();
  const node = startProcess({ DATABASE_URL: url, PORT: String(port) }, { command: [process.execPath, serverFile] });
  const restUrl = `http://127.0.0.1:${port}`;
  const answer = (path: string) => request({ restUrl }, "GET", path).catch(() => undefined);
  await until("the waiting room", 60_000, async () => (await answer("/live"))?.status === 200);
  const ready = await answer("/ready");
  expect(ready?.status).toBe(503);
  expect(ready?.body.error).toMatch(/^The database does not answer \(.+\)\.$/);
  expect((await answer("/channel"))?.status).toBe(503);

  const other = startProcess({ DATABASE_URL: url }, { command: [process.execPath, serverFile] });
  await other.stdout.take("the wait", (line) => line.includes("waiting for the database"), 30_000);
  expect(await other.end("SIGTERM")).toEqual({ code: 0, signal: null });

  wire.set("pass");
  await node.ready();
  expect((await answer("/ready"))?.status).toBe(200);
  await node[Symbol.asyncDispose]();
  await wire.close();
  await database.drop();
});
