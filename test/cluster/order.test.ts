import { expect, test } from "vitest";
import { type Cluster, startCluster } from "../support/cluster.ts";
import { password, post, request, signUp } from "../support/http.ts";
import { balance, follow, Load, long, percentile } from "../support/ledger.ts";
import { measured } from "../support/measured.ts";

const timeout = 120_000 * long;

/** Reads the log from one node page by page, as a client that polls does, and from another node each time. */
async function poll(cluster: Cluster, cursor: string): Promise<number[]> {
  const ids: number[] = [];
  for (let turn = 0, at = cursor; ; turn += 1) {
    const { body } = await request(cluster.node(turn % 3), "GET", `/event?cursor=${at}&limit=200`);
    ids.push(
      ...body.events.flatMap(({ event, data }: { event: string; data: { id: number } }) => (event === "post message" ? [data.id] : [])),
    );
    if (body.cursor === at) return ids;
    at = body.cursor;
  }
}

test("sixteen writers on three nodes make one order, which every reader sees whole, live and replayed", { timeout }, async () => {
  await using cluster = await startCluster();
  const { token } = await signUp(cluster.node(0), "ann");
  const start = (await request(cluster.node(1), "GET", "/event")).body.cursor;
  const followers = await follow(cluster, 3);
  const load = new Load(() => cluster.nodes, token, 16);
  await load.more(600);
  await balance("16 writers", cluster, token, load, followers);
  const live = followers[0]?.messages.items.map(({ id }) => id);
  expect(await poll(cluster, start)).toEqual(live);
  for (const follower of followers) follower.stop();
});

test("an event reaches the readers of every node soon, and not much later with Redis away", { timeout }, async () => {
  await using cluster = await startCluster();
  const { token } = await signUp(cluster.node(0), "ann");
  const followers = await follow(cluster, 3);
  // As fifty people a second would post.
  const paced = new Load(() => cluster.nodes, token, 5, 90);
  await paced.more(200);
  const withRedis = await balance("50 posts/s", cluster, token, paced, followers);
  measured("G5", "event across nodes, p99", 300, percentile(withRedis, 0.99));
  for (const node of cluster.nodes) node.redis?.set("cut");
  const alone = new Load(() => cluster.nodes, token, 5, 90);
  await alone.more(100);
  const withoutRedis = await balance("50 posts/s, Redis away", cluster, token, alone, followers);
  measured("G5", "event across nodes, p99, Redis away", 1_500, percentile(withoutRedis, 0.99));
  for (const follower of followers) follower.stop();
});

test("whoever wrote on one node reads it on every other at once, and what was deleted is nowhere", { timeout }, async () => {
  await using cluster = await startCluster({ withRedis: false });
  const { token } = await signUp(cluster.node(0), "ann");
  for (let turn = 0; turn < 30; turn += 1) {
    const [here, there, elsewhere] = [0, 1, 2].map((offset) => cluster.node((turn + offset) % 3));
    if (!here || !there || !elsewhere) throw new Error("There are three nodes.");
    const { body: before } = await request(there, "GET", "/event");
    const posted = await request(here, "POST", "/message", { token, body: { channel_id: 1, message_text: `secret ${turn}` } });
    expect(posted.status).toBe(201);
    expect((await request(there, "GET", `/message/${posted.body.id}`)).status).toBe(200);
    const page = await request(there, "GET", `/event?cursor=${before.cursor}`);
    expect(page.body.events.map(({ data }: { data: { id: number } }) => data.id)).toEqual([posted.body.id]);
    expect((await request(there, "DELETE", `/message/${posted.body.id}`, { token })).status).toBe(204);
    const replay = await request(elsewhere, "GET", `/event?cursor=${before.cursor}`);
    expect(replay.body.events.map(({ event }: { event: string }) => event)).toEqual(["delete message"]);
    const repeated = await request(here, "GET", `/event?cursor=${before.cursor}`);
    expect(repeated.text).not.toContain("secret");
  }
});

test("a session that was ended on one node changes nothing on another, and nobody else is held up", { timeout }, async () => {
  await using cluster = await startCluster({ size: 2, withRedis: false });
  const [here, there] = [cluster.node(0), cluster.node(1)];
  const bob = await signUp(here, "bob");
  await signUp(here, "ann");
  for (let round = 0; round < 5; round += 1) {
    const { token_value: token } = (await request(here, "POST", "/auth", { body: { username: "ann", password } })).body;
    expect((await post(there, token, 1, "known here")).status).toBe(201);
    expect((await request(here, "DELETE", "/auth", { token })).status).toBe(204);
    const answers = await Promise.all([token, bob.token, token].map((one) => post(there, one, 1, "too late, or not")));
    expect(answers.map(({ status }) => status)).toEqual([401, 201, 401]);
    expect((await request(there, "POST", "/channel", { token, body: { title: "too late" } })).status).toBe(401);
  }
});

test("nodes may die, stop and be replaced under load: no reader misses or repeats anything", { timeout }, async () => {
  await using cluster = await startCluster();
  const { token } = await signUp(cluster.node(0), "ann");
  const followers = await follow(cluster, 3);
  const load = new Load(() => cluster.nodes, token, 8, 5);
  await load.more(60);

  await cluster.node(1).process.end("SIGKILL");
  await load.more(60);
  const joining = performance.now();
  await cluster.start(1);
  measured("G15", "a node joins", 10_000, performance.now() - joining);

  cluster.node(2).process.child.kill("SIGSTOP");
  await load.more(60);
  cluster.node(2).process.child.kill("SIGCONT");

  for (const index of [0, 1, 2]) {
    const { process: old } = cluster.node(index);
    const leaving = performance.now();
    expect(await old.end("SIGTERM")).toEqual({ code: 0, signal: null });
    measured("G10", "a node told to stop has ended", 15_000, performance.now() - leaving);
    await cluster.start(index);
    await load.more(25);
  }
  await balance("nodes killed, stopped and restarted", cluster, token, load, followers);
  for (const follower of followers) follower.stop();
});
