import { afterAll, beforeAll, expect, test } from "vitest";
import { type Cluster, startCluster } from "../support/cluster.ts";
import { password, post, request, signUp } from "../support/http.ts";
import { balance, follow, Load, long } from "../support/ledger.ts";
import { measured } from "../support/measured.ts";
import { until, within } from "../support/wait.ts";
import { openPlain, type Received } from "../support/wires.ts";

const timeout = 90_000 * long;

let cluster: Cluster;
let ann: { id: number; token: string };
let bob: { id: number; token: string };
beforeAll(async () => {
  cluster = await startCluster();
  ann = await signUp(cluster.node(0), "ann");
  bob = await signUp(cluster.node(1), "bob");
}, 120_000);
afterAll(() => cluster[Symbol.asyncDispose]());

function movement(channelId: number, users: readonly number[]) {
  return ({ event, data }: Received) =>
    event === "channel movement" && data.channel_id === channelId && JSON.stringify(data.users) === JSON.stringify(users);
}

async function openIdentified(index: number, { token }: { token: string }) {
  const client = await openPlain(cluster.node(index), { token });
  await client.inbox.take("identified", ({ event }) => event === "identified", 10_000);
  return client;
}

const users = async (index: number, channelId: number): Promise<number[]> =>
  (await request(cluster.node(index), "GET", `/channel/${channelId}/users`)).body.users;

test("who enters on one node is seen on the others, once whatever the sockets, and gone when the last has left", { timeout }, async () => {
  const reader = await openPlain(cluster.node(2));
  const [here, there] = [await openIdentified(0, ann), await openIdentified(1, ann)];
  const entering = performance.now();
  here.send("change channel", { id: 1 });
  await reader.inbox.take("ann on node 2", movement(1, [ann.id]), 10_000);
  measured("G7", "who enters is seen on another node", 2_000, performance.now() - entering);
  there.send("change channel", { id: 1 });
  await there.inbox.take("her own movement", movement(1, [ann.id]), 10_000);
  const second = await openIdentified(1, bob);
  second.send("change channel", { id: 1 });
  await reader.inbox.take("both on node 2", movement(1, [ann.id, bob.id]), 10_000);
  here.cut();
  await second.close();
  await reader.inbox.take(
    "bob gone, ann still there",
    ({ event, data }) =>
      event === "channel movement" && data.users.join() === `${ann.id}` && reader.inbox.items.some(movement(1, [ann.id, bob.id])),
    10_000,
  );
  for (const index of [0, 1, 2]) await until("the same list", 10_000, async () => (await users(index, 1)).join() === `${ann.id}`);
  const leaving = performance.now();
  await there.close();
  for (const index of [0, 1, 2]) await until("nobody", 10_000, async () => (await users(index, 1)).length === 0);
  measured("G7", "who leaves is gone on every node", 2_000, performance.now() - leaving);
  reader.cut();
});

test("typing on one node is seen on the others, and ends with the message or after six seconds", { timeout }, async () => {
  const reader = await openPlain(cluster.node(2));
  const client = await openIdentified(0, ann);
  const typing =
    (word: string) =>
    ({ event, data }: Received) =>
      event === `${word} typing` && data.user_id === ann.id && data.channel_id === 2;
  client.send("start typing", { channel_id: 2 });
  await reader.inbox.take("the start", typing("start"), 10_000);
  // On a third node: the message ends it there, and so everywhere.
  expect((await post(cluster.node(1), ann.token, 2, "done")).status).toBe(201);
  await reader.inbox.take("the stop", typing("stop"), 5_000);
  client.send("start typing", { channel_id: 2 });
  await reader.inbox.count("starts", 2, typing("start"), 10_000);
  const silence = performance.now();
  await reader.inbox.count("stops", 2, typing("stop"), 15_000);
  // The six seconds are its own node's; the way to the other adds to them.
  measured("G7", "typing that fell silent has ended on another node", 6_500, performance.now() - silence);
  client.cut();
  reader.cut();
});

test("a session that ends on one node ends its sockets and its token on the others within two seconds", { timeout }, async () => {
  for (let round = 0; round < 3; round += 1) {
    const login = await request(cluster.node(0), "POST", "/auth", { body: { username: "ann", password } });
    const token = login.body.token_value;
    const socket = await openIdentified(1, { token });
    expect((await request(cluster.node(2), "GET", "/auth", { token })).status).toBe(200);
    const started = performance.now();
    expect((await request(cluster.node(0), "DELETE", "/auth", { token })).status).toBe(204);
    expect((await request(cluster.node(2), "GET", "/auth", { token })).status).toBe(401);
    expect((await within(10_000, "the close", socket.closed)).code).toBe(4001);
    measured("G6", "sockets of an ended session closed on another node", 2_000, performance.now() - started);
  }
});

test("without Redis, or with an emptied or a silent one, everything is slower and nothing is wrong", { timeout }, async () => {
  const redis = cluster.redis;
  if (!redis) throw new Error("This cluster has a Redis.");
  const here = await openIdentified(0, ann);
  here.send("change channel", { id: 1 });
  for (const index of [0, 1, 2]) await until("ann", 10_000, async () => (await users(index, 1)).includes(ann.id));
  const followers = await follow(cluster, 3);
  const load = new Load(() => cluster.nodes, ann.token, 3, 50);
  await load.more(10);
  await redis.empty();
  await load.more(10);
  expect(await users(2, 1)).toContain(ann.id);
  for (const node of cluster.nodes) node.redis?.set("swallow");
  await load.more(20);
  expect(await users(2, 1)).toContain(ann.id);
  for (const node of cluster.nodes) node.redis?.set("pass");
  await redis.stop();
  await load.more(20);
  expect(await users(2, 1)).toContain(ann.id);
  await redis.start();
  await balance("Redis emptied, blackholed, stopped", cluster, ann.token, load, followers);
  for (const follower of followers) follower.stop();

  // And what could not be told in the meantime is told afterwards.
  await redis.stop();
  here.send("change channel", { id: 2 });
  await until("the move on its own node", 10_000, async () => (await users(0, 2)).includes(ann.id));
  await redis.start();
  const ms = await until(
    "the move on the others",
    20_000,
    async () => (await users(1, 2)).includes(ann.id) && !(await users(2, 1)).includes(ann.id),
  );
  measured("G12", "presence right after Redis's return", 10_000, ms);
  here.cut();
});

test("whoever sat on a node that died is gone within 45 seconds, and nobody else", { timeout }, async () => {
  const doomed = await openIdentified(2, ann);
  const safe = await openIdentified(1, bob);
  doomed.send("change channel", { id: 1 });
  safe.send("change channel", { id: 1 });
  await until("both on node 0", 10_000, async () => (await users(0, 1)).join() === `${ann.id},${bob.id}`);
  await cluster.node(2).process.end("SIGKILL");
  const ms = await until("ann gone", 45_000, async () => (await users(0, 1)).join() === `${bob.id}`);
  measured("G7", "whoever sat on a dead node is gone", 45_000, ms);
  safe.cut();
});
