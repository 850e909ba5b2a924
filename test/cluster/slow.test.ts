/** Networks and a Redis that are slow rather than gone, and a node that is cut off from both. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Cluster, type Node, startCluster } from "../support/cluster.ts";
import { post, request, signUp } from "../support/http.ts";
import { balance, follow, Load, long, percentile } from "../support/ledger.ts";
import { measured } from "../support/measured.ts";
import type { RedisServer } from "../support/redis-server.ts";
import type { TcpProxy, WireState } from "../support/tcp-proxy.ts";
import { until } from "../support/wait.ts";
import { openPlain } from "../support/wires.ts";

const timeout = 90_000 * long;

let cluster: Cluster;
let redis: RedisServer;
let ann: { id: number; token: string };
beforeAll(async () => {
  cluster = await startCluster();
  if (!cluster.redis) throw new Error("This cluster has a Redis.");
  redis = cluster.redis;
  ann = await signUp(cluster.node(0), "ann");
}, 120_000);
afterAll(() => cluster[Symbol.asyncDispose]());

function redisWires(): TcpProxy[] {
  return cluster.nodes.flatMap((node) => node.redis ?? []);
}

function delay(wires: readonly TcpProxy[], delayMs: number): void {
  for (const wire of wires) wire.delayMs = delayMs;
}

test.each([
  { delayMs: 15, writers: 6, posts: 40 },
  { delayMs: 80, writers: 3, posts: 12 },
])("with $delayMs ms each way to PostgreSQL and to Redis everything is later, and nothing is wrong", { timeout }, async (given) => {
  const wires = [...cluster.nodes.map((node) => node.postgres), ...redisWires()];
  const followers = await follow(cluster, 3);
  const load = new Load(() => cluster.nodes, ann.token, given.writers);
  await load.more(given.posts);
  delay(wires, given.delayMs);
  await load.more(given.posts);
  delay(wires, 0);
  await load.more(given.posts);
  await balance(`${given.delayMs} ms each way to PostgreSQL and Redis`, cluster, ann.token, load, followers);
  expect([...load.statuses.keys()]).toEqual([201]);
  for (const follower of followers) {
    expect(follower.moves).toBe(0);
    follower.stop();
  }
});

/** How long a post and a read took, one after the other, so many times. */
async function times(node: Node, count: number): Promise<{ post: number[]; read: number[] }> {
  const taken: { post: number[]; read: number[] } = { post: [], read: [] };
  for (let turn = 0; turn < count; turn += 1) {
    const started = performance.now();
    expect((await post(node, ann.token, 2, "how long?")).status).toBe(201);
    const posted = performance.now();
    expect((await request(node, "GET", "/message?channel_id=2&limit=10", { token: ann.token })).status).toBe(200);
    expect((await request(node, "GET", "/channel/2/users", { token: ann.token })).status).toBe(200);
    taken.post.push(posted - started);
    taken.read.push(performance.now() - posted);
  }
  return taken;
}

test.each([
  ["stopped in its tracks", () => redis.signal("SIGSTOP"), () => redis.signal("SIGCONT")],
  ["half a second away", () => delay(redisWires(), 500), () => delay(redisWires(), 0)],
])("no request waits for a Redis that is %s", { timeout }, async (_, slow, mend) => {
  const node = cluster.node(0);
  await times(node, 20);
  const before = await times(node, 60);
  slow();
  // Long enough that its silence is noticed in the middle: the time before and after counts.
  const during = await times(node, 60);
  await until("the silence being noticed", 10_000, async () => {
    const more = await times(node, 20);
    during.post.push(...more.post);
    during.read.push(...more.read);
    return during.post.reduce((sum, ms) => sum + ms, 0) + during.read.reduce((sum, ms) => sum + ms, 0) > 5_000;
  });
  mend();
  // Against the slowest of before: this machine has other work too.
  const extra = (now: readonly number[], then: readonly number[]) => Math.max(0, percentile(now, 0.95) - percentile(then, 0.99));
  measured("G12", "a post waits on a slow Redis, p95", 50, extra(during.post, before.post));
  measured("G12", "a read waits on a slow Redis, p95", 50, extra(during.read, before.read));
});

test.each<WireState>(["swallow questions", "swallow answers", "swallow"])(
  "a Redis to which a node's wire fails one way or both (%s) makes events later and nothing wrong",
  { timeout },
  async (state) => {
    const followers = await follow(cluster, 3);
    const load = new Load(() => cluster.nodes, ann.token, 3, 50);
    await load.more(10);
    for (const wire of redisWires()) wire.set(state);
    await load.more(60);
    await balance(`Redis: ${state}`, cluster, ann.token, load, followers);
    // Nobody asks this node anything, so it has to look by itself.
    const reader = await openPlain(cluster.node(1));
    await reader.settled();
    const started = performance.now();
    const { body } = await post(cluster.node(0), ann.token, 2, "without Redis");
    await reader.inbox.take("it", ({ data }) => data?.id === body.id);
    measured("G5", "event to a quiet node, Redis away", 1_500, performance.now() - started);
    for (const wire of redisWires()) wire.set("pass");
    expect([...load.statuses.keys()].filter((status) => status !== 201)).toEqual([]);
    for (const follower of followers) follower.stop();
    reader.cut();
  },
);

test.each<WireState>(["swallow", "cut"])(
  "a node cut off from PostgreSQL and Redis (%s) refuses, keeps its readers, and brings them what they missed",
  { timeout },
  async (state) => {
    const [node, other] = [cluster.node(2), cluster.node(0)];
    const readers = await Promise.all([openPlain(node), openPlain(node)]);
    for (const reader of readers) await reader.settled();
    node.postgres.set(state);
    node.redis?.set(state);
    await until("its refusal", 5_000, async () => (await request(node, "GET", "/ready")).status === 503);
    const missed: number[] = [];
    for (let count = 0; count < 50; count += 1) missed.push((await post(other, ann.token, 1, `missed ${count}`)).body.id);
    expect((await post(node, ann.token, 1, "never")).status).toBe(503);
    node.postgres.set("pass");
    node.redis?.set("pass");
    const back = await until("taking posts again", 30_000, async () => (await post(node, ann.token, 2, "is it back?")).status === 201);
    measured("G11", "normal after a node was cut off", 5_000, back);
    for (const reader of readers) {
      await reader.inbox.take("the last one", ({ data }) => data?.id === missed.at(-1), 10_000);
      const posts = reader.inbox.items.filter(({ event, data }) => event === "post message" && data.channel_id === 1);
      expect(posts.map(({ data }) => data.id)).toEqual(missed);
      expect(reader.ws.readyState).toBe(reader.ws.OPEN);
      reader.cut();
    }
  },
);
