/**
 * Speed and memory, as ratios to something bare in the same run or as figures with a goal: `npm run bench`. BENCH_RUNS repeats
 * each measurement and takes medians, BENCH_ONLY=fan-out,idle,… chooses, BENCH_PROFILE=DIRECTORY writes processor profiles.
 */
import { cpus, loadavg } from "node:os";
import process from "node:process";
import { endChildrenWhenInterrupted } from "./child.ts";
import { type ClusterPlan, type ClusterReport, measureCluster, measureTransactions } from "./cluster.ts";
import { alone, Figures, type Pair, ratio } from "./figures.ts";
import { whatIsAway } from "./postgres.ts";
import type { WireName } from "./readers.ts";
import { writeResult } from "./result.ts";
import { plans } from "./scale-plans.ts";
import { type FanOutPlan, measureFanOut, measureIdle, measureRequests } from "./scenarios.ts";

const runs = Number(process.env["BENCH_RUNS"] ?? 1);
const wires = ["plain", "trpc"] as const;
let lost = 0;
let repeated = 0;
const configurations: ClusterReport[] = [];

/** How many others want the cores, before this run does. */
const [loadBefore = 0] = loadavg();

endChildrenWhenInterrupted();

async function repeatedly<Result>(measure: () => Promise<Result>): Promise<Result[]> {
  const results: Result[] = [];
  for (let run = 0; run < runs; run += 1) results.push(await measure());
  return results;
}

async function onEachWire<Result>(measure: (wire: WireName) => Promise<Result>) {
  return { bare: await measure("bare"), plain: await measure("plain"), trpc: await measure("trpc") };
}

function count(report: { readonly lost: number; readonly repeated: number }): void {
  lost += report.lost;
  repeated += report.repeated;
}

async function onCluster(plan: ClusterPlan): Promise<ClusterReport> {
  const report = await measureCluster(plan);
  count(report);
  return report;
}

async function fanOut(name: string, plan: FanOutPlan, goals: Record<(typeof wires)[number], number>): Promise<void> {
  const results = await repeatedly(() => onEachWire((wire) => measureFanOut(wire, plan)));
  for (const wire of wires) {
    for (const result of results) count(result[wire]);
    const pairs = results.map(({ bare, [wire]: ours }) => ({ bare: bare.deliveriesPerCpuSecond, ours: ours.deliveriesPerCpuSecond }));
    figures.add(`${name}, ${plan.readers} readers, ${wire}`, "deliveries/CPU-second", pairs, ratio, { atLeast: goals[wire] });
  }
}

/** How late a message comes by Socket.IO's own clients, at a pace that anybody reaches. */
async function lateness(transport: "websocket" | "polling", plan: FanOutPlan): Promise<void> {
  const results = await repeatedly(() => measureFanOut(transport, { ...plan, timed: true }));
  for (const result of results) count(result);
  const pick = (field: "p50" | "p99") => results.map(({ latencyMs }) => ({ bare: Number.NaN, ours: latencyMs?.[field] ?? Number.NaN }));
  const name = `${plan.readers} by Socket.IO, ${transport}, ${plan.perSecond}/s`;
  figures.add(`${name}, p50`, "ms", pick("p50"), alone);
  figures.add(`${name}, p99`, "ms", pick("p99"), alone, { atMost: 150 });
}

/**
 * On this machine the load and the readers share the cores with the nodes, so wall time would measure them as well. What counts is
 * the time that a core of its own would need for the work of the busiest node: one node has all readers, two have half of them each.
 */
async function twoNodes(name: string, planFor: (nodes: number) => Omit<ClusterPlan, "nodes">, goal?: { atLeast: number }): Promise<void> {
  const perCoreSecond = ({ deliveries, nodesCpuMs }: ClusterReport) => deliveries / (Math.max(...nodesCpuMs) / 1_000);
  const measure = async (nodes: number) => perCoreSecond(await onCluster({ ...planFor(nodes), nodes, pinned: true }));
  const pairs = await repeatedly(async (): Promise<Pair> => ({ bare: await measure(1), ours: await measure(2) }));
  figures.add(`two nodes to one, ${name}`, "deliveries a second", pairs, ratio, goal);
}

const sections: Record<string, () => Promise<void>> = {
  async "fan-out"() {
    await fanOut("paced", { readers: 1_000, messages: 100, perSecond: 20 }, { plain: 0.9, trpc: 0.85 });
    await fanOut("saturated", { readers: 100, messages: 10_000 }, { plain: 3, trpc: 3 });
    await fanOut("saturated", { readers: 1_000, messages: 1_500 }, { plain: 4, trpc: 4 });
    await fanOut("saturated", { readers: 5_000, messages: 300 }, { plain: 2.5, trpc: 2.5 });
    for (const transport of ["websocket", "polling"] as const) await lateness(transport, { readers: 10, messages: 500, perSecond: 50 });
  },
  async idle() {
    const results = await repeatedly(() => onEachWire((wire) => measureIdle(wire, 4_000)));
    for (const wire of wires) {
      const goal = { atMost: wire === "plain" ? 10 : 16 };
      const kilobytes = (kind: "reachableBytes" | "residentBytes") =>
        results.map(({ bare, [wire]: ours }) => ({ bare: bare[kind] / 1_000, ours: ours[kind] / 1_000 }));
      figures.add(`idle connection, ${wire}, reachable`, "kB", kilobytes("reachableBytes"), alone, goal);
      figures.add(`idle connection, ${wire}, resident`, "kB", kilobytes("residentBytes"), alone, goal);
    }
  },
  async requests() {
    for (const [what, requests] of [
      ["post", 8_000],
      ["get one", 20_000],
      ["get 50", 5_000],
    ] as const) {
      const results = await repeatedly(async () => ({
        bare: await measureRequests("bare", what, requests),
        ours: await measureRequests("plain", what, requests),
      }));
      const pick = (field: "perSecond" | "cpuMicroseconds") => results.map(({ bare, ours }) => ({ bare: bare[field], ours: ours[field] }));
      figures.add(`${what}, 32 connections`, "a second", pick("perSecond"), ratio);
      figures.add(`${what}, 32 connections`, "µs of CPU each", pick("cpuMicroseconds"), ratio);
    }
  },
  async "posts-postgres"() {
    const pairs = await repeatedly(async () => {
      // Both are warmed for some seconds: the compiler is at work on ours for twenty thousand posts.
      const bare = await measureTransactions(3_000, 32);
      const { messages, seconds } = await onCluster({ nodes: 1, readers: 0, messages: 20_000, warmUp: 20_000, inFlight: 32 });
      return { bare, ours: messages / seconds };
    });
    figures.add("post on PostgreSQL, 32 connections", "a second", pairs, ratio, { atLeast: 8 });
  },
  async latency() {
    const plan = { nodes: 3, readers: 2_000, messages: 1_000, perSecond: 50, inFlight: 32, timed: true };
    const results = await repeatedly(() => onCluster(plan));
    const pick = (field: "p50" | "p99") => results.map(({ latencyMs }) => ({ bare: Number.NaN, ours: latencyMs?.[field] ?? Number.NaN }));
    figures.add("latency, 3 nodes, 2000 readers, 50/s, p50", "ms", pick("p50"), alone);
    figures.add("latency, 3 nodes, 2000 readers, 50/s, p99", "ms", pick("p99"), alone, { atMost: 300 });
  },
  async "two-nodes"() {
    // Slow enough that every message has been written before the next one comes: both do the same work, a write for each delivery.
    await twoNodes("2000 readers, paced", () => ({ readers: 2_000, messages: 300, perSecond: 20, inFlight: 32 }), { atLeast: 1.6 });
    // As much under way at each node: each commits as many together, and writes them to each reader at once.
    await twoNodes("1000 readers, 64 posts each", (nodes) => ({ readers: 1_000, messages: 3_000, inFlight: 64 * nodes }));
    // As much in all: one node's commits are twice as full, and its writes half as many, so that two gain little.
    await twoNodes("1000 readers, 64 posts in all", () => ({ readers: 1_000, messages: 3_000, inFlight: 64 }));
  },
  /** No figures of its own: `npm run bench:scale` judges what it makes of them. */
  async scale() {
    // Round by round, since a machine has slow minutes.
    await repeatedly(async () => {
      for (const plan of plans) configurations.push(await onCluster(plan));
    });
  },
};

const needPostgresAndRedis = ["posts-postgres", "latency", "two-nodes", "scale"];

async function whatIsThere(): Promise<string[]> {
  const away = await whatIsAway();
  if (away.length === 0) return Object.keys(sections);
  console.log(`Without ${away.join(" and ")} this leaves out ${needPostgresAndRedis.join(", ")}.`);
  return Object.keys(sections).filter((name) => !needPostgresAndRedis.includes(name));
}

const chosen = process.env["BENCH_ONLY"]?.split(",") ?? (await whatIsThere());
const unknown = chosen.find((name) => !(name in sections));
if (unknown !== undefined) throw new Error(`BENCH_ONLY knows no "${unknown}", only ${Object.keys(sections).join(", ")}.`);
const figures = new Figures();
for (const name of chosen) await sections[name]?.();
const machine = `${cpus().length} × ${cpus()[0]?.model}, load average ${loadBefore.toFixed(1)} before, Node ${process.version}`;
console.log(`lost ${lost}, repeated ${repeated}; ${runs} run(s) each, ${machine}`);
writeResult({ loadBefore, lost, repeated, rows: figures.rows, configurations });
process.exitCode = lost + repeated === 0 && figures.met ? 0 : 1;
