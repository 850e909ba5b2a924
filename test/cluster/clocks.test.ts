/**
 * Nodes whose wall clocks differ by hours, and one whose clock jumps by ten years. Promised is that this changes no order, no resume,
 * no lease and no revocation; `time` and `expires_at` follow the clock of the node that sets them, and each node judges by its own
 * whether a session has expired.
 */
import { expect, test } from "vitest";
import { type Cluster, startCluster } from "../support/cluster.ts";
import { password, post, request, signUp } from "../support/http.ts";
import { balance, follow, Load, long } from "../support/ledger.ts";
import { measured } from "../support/measured.ts";
import { until, within } from "../support/wait.ts";
import { openPlain } from "../support/wires.ts";

const timeout = 90_000 * long;
const hourMs = 3_600_000;
const yearMs = 365 * 24 * hourMs;
const clockFile = new URL("../support/skewed-clock.ts", import.meta.url).href;

/** Node 0 is an hour ahead, node 1 an hour behind, node 2 right until it jumps. */
function startSkewed(ttl: string): Promise<Cluster> {
  return startCluster({
    environment: { TOKEN_TTL: ttl, NODE_OPTIONS: `--import=${clockFile}` },
    each: (index) => ({ environment: { KEENCHAT_TEST_CLOCK_AHEAD_MS: String([hourMs, -hourMs, 0][index]) } }),
  });
}

/** Posts on a node, and gives how far its clock is ahead of ours, in the unit. */
async function aheadOf(cluster: Cluster, index: number, token: string, unitMs: number): Promise<number> {
  const { body } = await post(cluster.node(index), token, 1, `on node ${index}`);
  return Math.round((body.time - Date.now()) / unitMs) || 0;
}

/** Resolves once node 2 reads another time. */
async function jump(cluster: Cluster, token: string): Promise<void> {
  cluster.node(2).process.child.kill("SIGUSR2");
  await until("the jump", 10_000, async () => (await aheadOf(cluster, 2, token, yearMs)) === 10);
}

test("clocks that differ and jump change no order, no resume, no lease and no revocation", { timeout }, async () => {
  // So long that nothing expires within the jump.
  await using cluster = await startSkewed("9999d");
  const ann = await signUp(cluster.node(0), "ann");
  const [here, there] = [await openPlain(cluster.node(0), { token: ann.token }), await openPlain(cluster.node(2), { token: ann.token })];
  here.send("change channel", { id: 2 });
  await here.settled();
  for (const [index, ahead] of [1, -1, 0].entries()) expect(await aheadOf(cluster, index, ann.token, hourMs)).toBe(ahead);

  const users = async (index: number) => (await request(cluster.node(index), "GET", "/channel/2/users")).body.users.join();
  const { cursor } = (await request(cluster.node(0), "GET", "/event")).body;
  const followers = await follow(cluster, 3);
  const load = new Load(() => cluster.nodes, ann.token, 16);
  await load.more(150);
  await jump(cluster, ann.token);
  await load.more(150);
  for (const index of [0, 1, 2]) expect(await users(index)).toBe(String(ann.id));
  await balance("clocks an hour ahead, an hour behind, ten years ahead", cluster, ann.token, load, followers);

  const last = followers[0]?.messages.items.at(-1)?.id;
  const ids: number[][] = [];
  for (const node of cluster.nodes) {
    const resumed = await openPlain(node, { cursor });
    await resumed.inbox.take("the last one", ({ data }) => data?.id === last, 20_000);
    expect(resumed.inbox.items.some(({ event }) => event === "resync")).toBe(false);
    ids.push(resumed.inbox.items.flatMap(({ event, data }) => (event === "post message" ? [data.id] : [])));
    resumed.cut();
  }
  expect(ids[0]).toEqual(ids[0]?.toSorted((a, b) => a - b));
  for (const others of ids) expect(others).toEqual(ids[0]);
  // She was there all the time.
  for (const { inbox } of [here, there])
    for (const { event, data } of inbox.items) if (event === "channel movement") expect(data.users).toEqual([ann.id]);

  const started = performance.now();
  expect((await request(cluster.node(1), "DELETE", "/auth", { token: ann.token })).status).toBe(204);
  for (const node of cluster.nodes) expect((await request(node, "GET", "/auth", { token: ann.token })).status).toBe(401);
  for (const socket of [here, there]) expect((await within(10_000, "the close", socket.closed)).code).toBe(4001);
  measured("G13", "sockets of an ended session closed, clocks apart", 2_000, performance.now() - started);
  for (const index of [0, 1, 2]) await until("nobody there", 10_000, async () => (await users(index)) === "");
  for (const follower of followers) {
    expect(follower.moves).toBe(0);
    follower.stop();
  }
});

test("a session made on one node is good on each whose clock says that it has not expired", { timeout }, async () => {
  await using cluster = await startSkewed("90m");
  await signUp(cluster.node(2), "ann");
  const login = async (index: number): Promise<string> =>
    (await request(cluster.node(index), "POST", "/auth", { body: { username: "ann", password } })).body.token_value;
  const statuses = async (token: string) =>
    Promise.all(cluster.nodes.map(async (node) => (await request(node, "GET", "/auth", { token })).status));

  expect(await statuses(await login(0))).toEqual([200, 200, 200]);
  // It ends half an hour from now, which is past for the clock that is an hour ahead.
  expect(await statuses(await login(1))).toEqual([401, 200, 200]);
  const right = await login(2);
  expect(await statuses(right)).toEqual([200, 200, 200]);
  cluster.node(2).process.child.kill("SIGUSR2");
  await until("its end by the clock that jumped", 10_000, async () => (await statuses(right)).join() === "200,200,401");
  expect(await statuses(await login(2))).toEqual([200, 200, 200]);
});
