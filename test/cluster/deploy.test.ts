/** nginx and Caddy with TLS before three nodes, from the files in `deploy/`. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { followEvents, signUpClient } from "../support/clients.ts";
import { type Cluster, startCluster } from "../support/cluster.ts";
import { type Edge, type Program, startEdge } from "../support/edge.ts";
import { post, request, signUp } from "../support/http.ts";
import { balance, Follower, Load, long } from "../support/ledger.ts";
import { measured } from "../support/measured.ts";
import { freePort } from "../support/redis-server.ts";
import { leftOut } from "../support/services.ts";
import { connect, majors, transports } from "../support/socket-io.ts";
import { until } from "../support/wait.ts";
import { followingWires, openSse, PlainClient } from "../support/wires.ts";

const timeout = 90_000 * long;
const maxSockets = 20;

const all: Program[] = ["nginx", "caddy"];
const programs = leftOut("openssl") ? [] : all.filter((program) => !leftOut(program));

let cluster: Cluster;
let ann: { id: number; token: string };
beforeAll(async () => {
  const ports = await Promise.all(Array.from({ length: 6 }, freePort));
  cluster = await startCluster({
    environment: { TRUSTED_PROXIES: "127.0.0.1", MAX_SOCKETS_PER_ADDRESS: String(maxSockets) },
    each: (index) => ({ environment: { PORT: String(ports[index]), WEBSOCKETS_PORT: String(ports[index + 3]) } }),
  });
  ann = await signUp(cluster.node(0), "ann");
}, 120_000);
afterAll(() => cluster[Symbol.asyncDispose]());

describe.each(programs)("behind %s", (program) => {
  let edge: Edge;
  beforeAll(async () => {
    edge = await startEdge(program, cluster.nodes);
  });
  afterAll(() => edge[Symbol.asyncDispose]());

  test("REST is as without it, refusals too", { timeout }, async () => {
    const posted = await post(edge, ann.token, 1, "through TLS");
    expect(posted.status).toBe(201);
    expect((await request(edge, "GET", `/message/${posted.body.id}`)).body).toEqual(posted.body);
    expect((await request(edge, "GET", "/nowhere")).body.code).toBe("NOT_FOUND");
    const long = { channel_id: 1, message_text: "x".repeat(140_000) };
    expect((await request(edge, "POST", "/message", { token: ann.token, body: long })).body.code).toBe("PAYLOAD_TOO_LARGE");
    // This machine's own may read it, and whoever comes by a proxy is not that.
    expect((await request(edge, "GET", "/metrics")).status).toBe(403);
  });

  test.each(followingWires)("%s brings an event at once, and later ones to who resumes", { timeout }, async (_, open, announcesReady) => {
    const { cursor } = (await request(cluster.node(0), "GET", "/event")).body;
    const reader = await open(edge);
    if (announcesReady) await reader.inbox.take("ready", ({ event }) => event === "ready", 10_000);
    else if (reader instanceof PlainClient) await reader.settled();
    for (const node of cluster.nodes) {
      const started = performance.now();
      const { body } = await post(node, ann.token, 1, "at once");
      await reader.inbox.take("the post", ({ data }) => data?.id === body.id, 10_000);
      measured("G5", `event through ${program}`, 1_500, performance.now() - started);
    }
    reader.cut();
    const resumed = await open(edge, { cursor });
    await resumed.inbox.count("the posts since the cursor", 3, ({ event }) => event === "post message", 10_000);
    resumed.cut();
  });

  test.each(majors.flatMap((major) => transports.map((transport) => [major, transport] as const)))(
    "Socket.IO %s by %s talks and listens",
    { timeout },
    async (major, transport) => {
      await using client = await connect(edge, major, transport, { auth: ann.token });
      await client.next("identified");
      for (const node of cluster.nodes) {
        client.emit("connection");
        await client.next("ready");
        const { body } = await post(node, ann.token, 1, "to Socket.IO");
        await client.next("post message", ({ id }) => id === body.id);
      }
    },
  );

  test("limits count who is behind it, whatever they claim, and nobody else", { timeout }, async () => {
    const from = (localAddress: string, claim: string) =>
      new PlainClient(edge.wsUrl, { localAddress, headers: { "x-forwarded-for": claim } } as object);
    const open: PlainClient[] = [];
    const isRefused = () => {
      const client = from("127.0.0.2", `192.0.2.${open.length + 1}`);
      open.push(client);
      return client.opened.then(
        () => false,
        ({ message }: Error) => message === "Unexpected server response: 429",
      );
    };
    while (!(await isRefused())) expect(open.length).toBeLessThanOrEqual(maxSockets * cluster.nodes.length);
    expect(open.length).toBeGreaterThan(maxSockets);
    const other = from("127.0.0.3", "192.0.2.1");
    await other.opened;
    await other.settled();
    for (const client of [...open, other]) client.cut();
  });

  test("a node that dies behind it takes nobody along: clients come back and miss nothing", { timeout }, async () => {
    const eve = await signUpClient(edge, `eve-${program}`);
    const events = await followEvents(eve);
    const followers = await Promise.all([0, 1, 2].map((turn) => new Follower(() => [edge], turn).start()));
    const writers = 3;
    const load = new Load(() => [edge], ann.token, writers, 20);
    const stream = await openSse(edge);
    await load.more(20);
    for (const index of [0, 1, 2]) {
      await cluster.node(index).process.end("SIGKILL");
      await load.more(10);
      const { restUrl } = await cluster.start(index);
      // The next one dies once the proxy has found this one again.
      await until("posts at the new node", 30_000, async () =>
        (await (await fetch(`${restUrl}/metrics`)).text()).includes('operation="message.post"'),
      );
      await load.more(10);
    }
    await stream.ended;
    await balance(`nodes killed behind ${program}`, { node: () => edge }, ann.token, load, followers);
    // What was under way when a node died, and nothing after it.
    expect(load.statuses.get(0) ?? 0).toBeLessThanOrEqual(3 * writers);
    for (const follower of followers) {
      expect(follower.moves).toBeGreaterThan(0);
      follower.stop();
    }
    const marker = followers[0]?.messages.items.at(-1)?.id;
    await events.take("the last one", (event) => event.event === "post message" && event.data.id === marker, 20_000);
    const seen = events.items.flatMap((event) => (event.event === "post message" ? [event.data.id] : []));
    expect(seen).toEqual([...new Set(seen)].sort((a, b) => a - b));
    expect(load.acknowledged.items.filter(({ id }) => !seen.includes(id))).toEqual([]);
    eve.close();
  });
});
