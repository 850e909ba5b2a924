/** Owns what is measured of several nodes over PostgreSQL and Redis: one plan, one report. */

import { Child } from "./child.ts";
import type { PostPlan, PostReport } from "./load.ts";
import { coresCpuMs } from "./machine.ts";
import { MeasuredServer } from "./measured-server.ts";
import { type DatabaseUsage, redisUrl, ScratchDatabase } from "./postgres.ts";
import type { ReadersReport, WireName } from "./readers.ts";
import { settle, signUp } from "./scenarios.ts";

export interface ClusterPlan {
  readonly nodes: number;
  /** Sockets that get every message, spread over the nodes. */
  readonly readers: number;
  readonly wire?: Exclude<WireName, "bare">;
  readonly messages: number;
  /** Posts under way at once, over all nodes. */
  readonly inFlight: number;
  readonly perSecond?: number;
  /** How many of the nodes are posted to: all, unless it says less. */
  readonly posting?: number;
  /** Gives each node a core of its own: the first one core 0. */
  readonly pinned?: boolean;
  /** Whether each reader's latency is noted. */
  readonly timed?: boolean;
  /** Posts before anything is measured, as many under way as then; otherwise some thousands, few at once. */
  readonly warmUp?: number;
}

/** What a plan's messages cost. */
export interface ClusterReport extends ReadersReport, DatabaseUsage {
  readonly plan: ClusterPlan;
  /** Until the last post was answered. */
  readonly seconds: number;
  /** Processor time: of each node, of the posting process, of PostgreSQL (`cpuMs`). */
  readonly nodesCpuMs: readonly number[];
  readonly loadCpuMs: number;
  /** From a post's sending to its answer, the median. */
  readonly answeredMs: number;
  /** The share of the machine that others took meanwhile: what nothing of this accounts for. */
  readonly othersShare: number;
}

/** Processor time of all nodes together, a message. */
export function nodesMicroseconds({ nodesCpuMs, messages }: ClusterReport): number {
  return (nodesCpuMs.reduce((sum, cpuMs) => sum + cpuMs, 0) * 1_000) / messages;
}

/** The difference of two readings, number by number. */
function since(before: DatabaseUsage, after: DatabaseUsage): DatabaseUsage {
  return {
    cpuMs: after.cpuMs - before.cpuMs,
    transactions: after.transactions - before.transactions,
    messages: after.messages - before.messages,
  };
}

async function withNodes<Result>(
  { nodes, pinned = false }: ClusterPlan,
  measure: (servers: readonly MeasuredServer[], database: ScratchDatabase) => Promise<Result>,
): Promise<Result> {
  const database = await ScratchDatabase.create();
  const servers: MeasuredServer[] = [];
  try {
    const environment = { DATABASE_URL: database.url, REDIS_URL: redisUrl };
    // One after the other: what fails half-way is ended below.
    for (let core = 0; core < nodes; core += 1)
      servers.push(await MeasuredServer.start("keenchat", { environment, ...(pinned && { core }) }));
    return await measure(servers, database);
  } finally {
    await Promise.all(servers.map((server) => server.stop()));
    await database.drop();
  }
}

/** Where nobody reads, until the compiler has done: what it does on threads of its own would count as work of the node. */
const someWarmUp = (readers: number) => ({ messages: readers === 0 ? 20_000 : 8_000, inFlight: 16 });
const cpuMsOf = (servers: readonly MeasuredServer[]) => Promise.all(servers.map((server) => server.cpuMs()));

export function measureCluster(plan: ClusterPlan): Promise<ClusterReport> {
  return withNodes(plan, async (servers, database) => {
    const [load, readers] = [new Child("load.ts"), new Child("readers.ts")];
    try {
      const token = await signUp(servers[0]?.port ?? 0);
      for (const [index, { wsPort }] of servers.entries()) {
        const count = Math.floor((plan.readers + index) / servers.length);
        await readers.ask("open", { port: wsPort, wire: plan.wire ?? "plain", count });
      }
      const { inFlight, perSecond, timed = false, warmUp } = plan;
      const ports = servers.slice(0, plan.posting).map(({ port }) => port);
      const post = (messages: number, pace: Pick<PostPlan, "inFlight" | "perSecond">) =>
        load.ask<PostReport>("post", { kind: "keenchat", ports, token, messages, ...pace } satisfies PostPlan);
      await readers.ask("begin");
      // Small commits too.
      const few = someWarmUp(plan.readers);
      if (warmUp === undefined) await post(few.messages, { inFlight: few.inFlight * ports.length });
      else await post(warmUp, { inFlight });
      await settle(readers);
      await readers.ask("begin", { timed });
      const [nodesBefore, databaseBefore] = [await cpuMsOf(servers), await database.usage()];
      const coresBefore = coresCpuMs();
      const { seconds, cpuMs: loadCpuMs, sentAt, answeredMs } = await post(plan.messages, { inFlight, perSecond });
      await settle(readers);
      const cores = coresCpuMs();
      const nodesCpuMs = (await cpuMsOf(servers)).map((cpuMs, index) => cpuMs - (nodesBefore[index] ?? 0));
      const used = since(databaseBefore, await database.usage());
      const report = await readers.ask<ReadersReport>("report", { posted: plan.messages, ...(timed && { sentAt }) });
      const ours = nodesCpuMs.reduce((sum, cpuMs) => sum + cpuMs, loadCpuMs + report.readersCpuMs + used.cpuMs);
      const othersShare = Math.max(0, cores.busy - coresBefore.busy - ours) / (cores.all - coresBefore.all);
      return { plan, seconds, nodesCpuMs, loadCpuMs, answeredMs, othersShare, ...used, ...report };
    } finally {
      await Promise.all([load.stop(), readers.stop()]);
    }
  });
}

/** Durable posts a second where each is a transaction of its own. */
export async function measureTransactions(messages: number, inFlight: number): Promise<number> {
  const database = await ScratchDatabase.create();
  try {
    const server = await MeasuredServer.start("transactions", { environment: { DATABASE_URL: database.url } });
    const load = new Child("load.ts");
    try {
      const post = (count: number) =>
        load.ask<PostReport>("post", { kind: "bare", ports: [server.port], messages: count, inFlight } satisfies PostPlan);
      await post(messages);
      const { seconds } = await post(messages);
      return messages / seconds;
    } finally {
      await load.stop();
      await server.stop();
    }
  } finally {
    await database.drop();
  }
}
