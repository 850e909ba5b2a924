/** Load on a cluster, and the book that is kept of it: what was acknowledged, and what each reader saw, in which order. */
import { randomBytes } from "node:crypto";
import process from "node:process";
import { expect } from "vitest";
import type { Cluster, Node } from "./cluster.ts";
import { request } from "./http.ts";
import { Inbox } from "./wait.ts";
import { PlainClient, type Received } from "./wires.ts";

/** `KEENCHAT_TEST_LONG=1`: the long form of a test takes so many times as long. */
export const long = process.env["KEENCHAT_TEST_LONG"] ? 20 : 1;

export function percentile(values: readonly number[], share: number): number {
  return [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * share))] ?? Number.NaN;
}

/** A reader that goes to another node with its cursor whenever its own is gone, as the client library does. */
export class Follower {
  readonly messages = new Inbox<{ id: number; key: string; at: number }>();
  readonly resyncs: Received[] = [];
  /** How often its socket was closed. */
  moves = 0;
  readonly #nodes: () => readonly Pick<Node, "wsUrl">[];
  #cursor: string | undefined;
  #turn: number;
  #client: PlainClient | undefined;
  #stopped = false;

  constructor(nodes: () => readonly Pick<Node, "wsUrl">[], turn: number) {
    this.#nodes = nodes;
    this.#turn = turn;
  }

  /** Resolves when the first node has let it in. */
  async start(): Promise<this> {
    const client = this.#open();
    await client.opened;
    await client.settled();
    return this;
  }

  stop(): void {
    this.#stopped = true;
    this.#client?.cut();
  }

  #open(): PlainClient {
    const nodes = this.#nodes();
    const node = nodes[this.#turn % nodes.length];
    const client = new PlainClient(`${node?.wsUrl}/${this.#cursor === undefined ? "" : `?cursor=${this.#cursor}`}`);
    this.#client = client;
    client.ws.on("message", (text) => this.#take(JSON.parse(String(text)) as Received));
    client.ws.once("close", () => {
      if (this.#stopped) return;
      this.moves += 1;
      this.#turn += 1;
      setTimeout(() => this.#stopped || this.#open(), 50);
    });
    return client;
  }

  #take(event: Received): void {
    if (event.id !== undefined) this.#cursor = event.id;
    if (event.event === "resync") this.resyncs.push(event);
    if (event.event === "post message")
      this.messages.push({ id: event.data.id, key: event.data.client_message_id ?? "", at: performance.now() });
  }
}

export interface Acknowledged {
  readonly key: string;
  readonly id: number;
  readonly sentAt: number;
  readonly answeredAt: number;
}

/** Posts without a pause until it is stopped; what fails is tried again with its key, at the next node. */
export class Load {
  readonly acknowledged = new Inbox<Acknowledged>();
  readonly statuses = new Map<number, number>();
  /** The slowest answer of each status. */
  readonly slowestMs = new Map<number, number>();
  readonly #run = randomBytes(4).toString("hex");
  readonly #done: Promise<unknown>;
  #stopping = false;

  constructor(nodes: () => readonly Pick<Node, "restUrl">[], token: string, writers: number, pauseMs = 0) {
    this.#done = Promise.all(
      Array.from({ length: writers }, async (_, writer) => {
        for (let count = 0; !this.#stopping; count += 1) {
          await this.#post(nodes, token, `${this.#run}-${writer}-${count}`, writer);
          if (pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs));
        }
      }),
    );
  }

  /** Resolves when so many more have been acknowledged; in the long form, as many times more. */
  async more(count: number): Promise<void> {
    const posts = this.acknowledged.items.length + count * long;
    await this.acknowledged.count("acknowledged posts", posts, () => true, 60_000 * long);
  }

  async stop(): Promise<readonly Acknowledged[]> {
    this.#stopping = true;
    await this.#done;
    return this.acknowledged.items;
  }

  async #post(nodes: () => readonly Pick<Node, "restUrl">[], token: string, key: string, writer: number): Promise<void> {
    const sentAt = performance.now();
    for (let turn = writer; ; turn += 1) {
      const all = nodes();
      const node = all[turn % all.length];
      const triedAt = performance.now();
      const answer = node && (await tryPost(node, token, key));
      const ms = performance.now() - triedAt;
      const status = answer?.status ?? 0;
      this.statuses.set(status, (this.statuses.get(status) ?? 0) + 1);
      this.slowestMs.set(status, Math.max(ms, this.slowestMs.get(status) ?? 0));
      if (answer && (answer.status === 201 || answer.status === 200)) {
        this.acknowledged.push({ key, id: answer.body.id, sentAt, answeredAt: performance.now() });
        return;
      }
      if (status !== 0 && status !== 503) throw new Error(`POST /message answered ${status}: ${answer?.text}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

/** Undefined where the node is not there, or does not answer. */
async function tryPost(node: Pick<Node, "restUrl">, token: string, key: string) {
  const body = { channel_id: 1, message_text: `text of ${key}`, client_message_id: key };
  const gone = new Promise<undefined>((resolve) => setTimeout(resolve, 4_000, undefined).unref());
  return Promise.race([request(node, "POST", "/message", { token, body }).catch(() => undefined), gone]);
}

/** Nothing lost, nothing twice, one order everywhere. Says what it counted; gives the times from request to reader. */
export async function balance(
  title: string,
  cluster: { node(index: number): Pick<Node, "restUrl"> },
  token: string,
  load: Load,
  followers: readonly Follower[],
): Promise<number[]> {
  const acknowledged = await load.stop();
  const marker = await request(cluster.node(0), "POST", "/message", { token, body: { channel_id: 1, message_text: "marker" } });
  expect(marker.status).toBe(201);
  for (const follower of followers) await follower.messages.take("the marker", ({ id }) => id === marker.body.id, 30_000);
  const [first, ...others] = followers.map((follower) => follower.messages.items.map(({ id }) => id).filter((id) => id <= marker.body.id));
  if (!first) throw new Error("Nobody reads.");
  expect(first).toEqual([...new Set(first)].sort((a, b) => a - b));
  for (const other of others) expect(other).toEqual(first);
  const seen = new Set(first);
  const lost = acknowledged.filter(({ id }) => !seen.has(id));
  expect(lost).toEqual([]);
  const keys = followers[0]?.messages.items.map(({ key }) => key).filter((key) => key !== "") ?? [];
  expect(keys.length).toBe(new Set(keys).size);
  for (const follower of followers) expect(follower.resyncs).toEqual([]);
  const latencies = latenciesOf(acknowledged, followers);
  const statuses = [...load.statuses]
    .map(([status, count]) => `${status || "no answer"}: ${count} within ${load.slowestMs.get(status)?.toFixed(0)} ms`)
    .join(", ");
  process.stdout.write(
    `${title}: ${acknowledged.length} posts, ${first.length} events in one order at ${followers.length} readers, 0 lost, 0 twice; ` +
      `event p50 ${percentile(latencies, 0.5).toFixed(0)} ms, p99 ${percentile(latencies, 0.99).toFixed(0)} ms, max ${percentile(latencies, 1).toFixed(0)} ms after its request; ` +
      `answers ${statuses}\n`,
  );
  return latencies;
}

/** From the request to each reader. */
function latenciesOf(acknowledged: readonly Acknowledged[], followers: readonly Follower[]): number[] {
  const sent = new Map(acknowledged.map(({ id, sentAt }) => [id, sentAt]));
  return followers.flatMap(({ messages }) => messages.items.flatMap(({ id, at }) => (sent.has(id) ? [at - (sent.get(id) ?? 0)] : [])));
}

/** Readers that begin at one position, on one node after the other. */
export async function follow(cluster: Pick<Cluster, "nodes">, count: number): Promise<Follower[]> {
  // A node that is asked looks how far the others are.
  await Promise.all(cluster.nodes.map((node) => request(node, "GET", "/event")));
  return Promise.all(Array.from({ length: count }, (_, turn) => new Follower(() => cluster.nodes, turn).start()));
}
