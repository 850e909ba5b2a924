/** Versions N and N−1 on one database and one Redis: what an update node by node needs. */
import process from "node:process";
import { expect, test } from "vitest";
import { type Cluster, startCluster } from "../support/cluster.ts";
import { request, signUp } from "../support/http.ts";
import { balance, follow, Load, long } from "../support/ledger.ts";
import { checkOutPrevious } from "../support/versions.ts";
import { until } from "../support/wait.ts";
import { openPlain, type Received } from "../support/wires.ts";

const timeout = 120_000 * long;
const previous = checkOutPrevious();
const run = previous ? [previous] : [];
if (!previous) process.stdout.write("Left out, because git has no commit before this one: versions N and N−1 together.\n");

/** Silent for longer than this, a node is forgotten by the others, and whoever is on it. */
const silenceMs = 17_000;

/** Somebody who stays in channel 1 on a node. */
async function sit(cluster: Cluster, index: number, { token }: { token: string }) {
  const client = await openPlain(cluster.node(index), { token });
  await client.inbox.take("identified", ({ event }) => event === "identified", 10_000);
  client.send("change channel", { id: 1 });
  await client.settled();
  return client;
}

/** What somebody does on one node is seen on the other, and ends there. */
async function expectPresence(cluster: Cluster, from: number, to: number, ann: { id: number; token: string }): Promise<void> {
  const [person, reader] = [await openPlain(cluster.node(from), { token: ann.token }), await openPlain(cluster.node(to))];
  await person.inbox.take("identified", ({ event }) => event === "identified", 10_000);
  await reader.settled();
  const seen = (event: string) => (received: Received) => received.event === event && received.data.user_id === ann.id;
  person.send("change channel", { id: 2 });
  const users = async () => (await request(cluster.node(to), "GET", "/channel/2/users")).body.users.join();
  await until("her presence on the other version", 10_000, async () => (await users()) === String(ann.id));
  person.send("start typing", { channel_id: 2 });
  await reader.inbox.take("her typing", seen("start typing"), 10_000);
  person.send("stop typing", { channel_id: 2 });
  await reader.inbox.take("its end", seen("stop typing"), 10_000);
  await person.close();
  await until("her leave on the other version", 10_000, async () => (await users()) === "");
  reader.cut();
}

/** A cursor from one node is good on the other, and gives what came after it. */
async function expectResume(cluster: Cluster, from: number, to: number, token: string): Promise<void> {
  const { cursor } = (await request(cluster.node(from), "GET", "/event")).body;
  const body = { channel_id: 2, message_text: "between" };
  const posted = await request(cluster.node(from), "POST", "/message", { token, body });
  const resumed = await openPlain(cluster.node(to), { cursor });
  await resumed.inbox.take("what came after the cursor", ({ data }) => data?.id === posted.body.id, 10_000);
  expect(resumed.inbox.items.some(({ event }) => event === "resync")).toBe(false);
  resumed.cut();
}

/** A channel that one version removes goes from the other, and its messages with it. */
async function expectRemoval(cluster: Cluster, from: number, to: number, token: string): Promise<void> {
  const channel = await request(cluster.node(from), "POST", "/channel", { token, body: { title: "to go" } });
  const body = { channel_id: channel.body.id, message_text: "gone with it" };
  const posted = await request(cluster.node(to), "POST", "/message", { token, body });
  expect((await request(cluster.node(from), "DELETE", `/channel/${channel.body.id}`, { token })).status).toBe(204);
  for (const path of [`/channel/${channel.body.id}`, `/message/${posted.body.id}`])
    await until(`the end of ${path}`, 10_000, async () => (await request(cluster.node(to), "GET", path)).status === 404);
}

test.each(run)("under load, nodes of this version join those of $commit, and replace them", { timeout }, async ({ directory, commit }) => {
  using _ = { [Symbol.dispose]: () => previous?.[Symbol.dispose]() };
  const old = { directory };
  await using cluster = await startCluster({ size: 2, each: (index) => (index < 2 ? old : {}) });
  const ann = await signUp(cluster.node(0), "ann");
  const followers = await follow(cluster, 2);
  const load = new Load(() => cluster.nodes, ann.token, 16);
  await load.more(60);
  await cluster.start(2);
  await cluster.start(3);
  await load.more(200);
  // A node of the version before starts on the schema of this one: after a crash in the middle of an update.
  await cluster.node(1).process.end("SIGKILL");
  await cluster.start(1, old);
  const bob = await signUp(cluster.node(3), "bob");
  const sitting = [await sit(cluster, 0, ann), await sit(cluster, 2, bob)];
  const satDownAt = performance.now();
  await load.more(100);
  await until("a node being forgotten that the other version does not hear", 30_000, () => performance.now() - satDownAt > silenceMs);
  for (const node of cluster.nodes) expect((await request(node, "GET", "/channel/1/users")).body.users).toEqual([ann.id, bob.id]);
  for (const client of sitting) client.cut();
  const { token } = ann;
  for (const [from, to] of [
    [0, 2],
    [3, 1],
  ] as const) {
    await expectPresence(cluster, from, to, ann);
    await expectResume(cluster, from, to, token);
    await expectRemoval(cluster, from, to, token);
    const session = await request(cluster.node(from), "POST", "/auth", { body: { username: "ann", password: "correct horse" } });
    const other = session.body.token_value;
    expect((await request(cluster.node(to), "GET", "/auth", { token: other })).status).toBe(200);
    expect((await request(cluster.node(from), "DELETE", "/auth", { token: other })).status).toBe(204);
    expect((await request(cluster.node(to), "GET", "/auth", { token: other })).status).toBe(401);
  }
  for (const index of [0, 1]) {
    expect(await cluster.node(index).process.end("SIGTERM")).toEqual({ code: 0, signal: null });
    await cluster.start(index, {});
    await load.more(60);
  }
  await balance(`two nodes of ${commit} and two of this version`, cluster, token, load, followers);
  for (const follower of followers) follower.stop();
});
