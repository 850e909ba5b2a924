/**
 * Speed and memory as ratios to a bare ws server in the same run: `npm run bench`. BENCH_RUNS repeats each measurement and
 * takes medians, BENCH_ONLY=fan-out,idle,requests chooses, BENCH_PROFILE=DIRECTORY writes processor profiles.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import process from "node:process";
import type { WireName } from "./readers.ts";
import { type FanOutPlan, measureFanOut, measureIdle, measureRequests } from "./scenarios.ts";

interface Row {
  readonly what: string;
  readonly bare: number;
  readonly ours: number;
  readonly unit: string;
  /** What is judged: the ratio to bare, or the figure itself. */
  readonly judged: number;
  readonly goal?: { readonly atLeast?: number; readonly atMost?: number };
  /** Each run's judged figure. */
  readonly runs: readonly number[];
}

const runs = Number(process.env["BENCH_RUNS"] ?? 1);
const chosen = process.env["BENCH_ONLY"]?.split(",") ?? ["fan-out", "idle", "requests"];
const wires = ["plain", "trpc"] as const;
const rows: Row[] = [];
let lost = 0;
let repeated = 0;

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

function round(value: number): string {
  return value >= 100 ? Math.round(value).toLocaleString("en") : value.toPrecision(3);
}

function meets({ judged, goal }: Row): boolean {
  return judged >= (goal?.atLeast ?? Number.NEGATIVE_INFINITY) && judged <= (goal?.atMost ?? Number.POSITIVE_INFINITY);
}

function show(row: Row): void {
  const { what, bare, ours, unit, judged, goal } = row;
  const wanted = goal?.atLeast === undefined ? (goal?.atMost === undefined ? "" : `≤ ${goal.atMost}`) : `≥ ${goal.atLeast}`;
  const spread = row.runs.length > 1 ? ` (${row.runs.map((value) => value.toFixed(2)).join(", ")})` : "";
  const verdict = goal === undefined ? "" : meets(row) ? "met" : "MISSED";
  console.log(
    [
      what.padEnd(42),
      round(bare).padStart(10),
      round(ours).padStart(10),
      unit.padEnd(24),
      judged.toFixed(2).padStart(9),
      wanted.padEnd(8),
      verdict + spread,
    ].join(" "),
  );
}

function add(
  what: string,
  unit: string,
  pairs: readonly { bare: number; ours: number }[],
  judge: (pair: { bare: number; ours: number }) => number,
  goal?: Row["goal"],
): void {
  const judged = pairs.map(judge);
  const row: Row = {
    what,
    unit,
    bare: median(pairs.map(({ bare }) => bare)),
    ours: median(pairs.map(({ ours }) => ours)),
    judged: median(judged),
    runs: judged,
    ...(goal && { goal }),
  };
  rows.push(row);
  show(row);
}

const ratio = ({ bare, ours }: { bare: number; ours: number }) => ours / bare;

async function repeatedly<Result>(measure: (wire: WireName) => Promise<Result>): Promise<Record<WireName, Result>[]> {
  const results: Record<WireName, Result>[] = [];
  for (let run = 0; run < runs; run += 1) {
    results.push({ bare: await measure("bare"), plain: await measure("plain"), trpc: await measure("trpc") });
  }
  return results;
}

async function fanOut(name: string, plan: FanOutPlan, goals: Record<(typeof wires)[number], number>): Promise<void> {
  const results = await repeatedly((wire) => measureFanOut(wire, plan));
  for (const result of results) {
    for (const wire of wires) {
      lost += result[wire].lost;
      repeated += result[wire].repeated;
    }
  }
  for (const wire of wires) {
    const pairs = results.map(({ bare, [wire]: ours }) => ({ bare: bare.deliveriesPerCpuSecond, ours: ours.deliveriesPerCpuSecond }));
    add(`${name}, ${plan.readers} readers, ${wire}`, "deliveries/CPU-second", pairs, ratio, { atLeast: goals[wire] });
  }
}

console.log(["".padEnd(42), "bare".padStart(10), "Keenchat".padStart(10), "".padEnd(24), "judged".padStart(9), "goal"].join(" "));
if (chosen.includes("fan-out")) {
  await fanOut("paced", { readers: 1_000, messages: 100, perSecond: 20 }, { plain: 0.9, trpc: 0.85 });
  await fanOut("saturated", { readers: 100, messages: 10_000 }, { plain: 3, trpc: 3 });
  await fanOut("saturated", { readers: 1_000, messages: 1_500 }, { plain: 4, trpc: 4 });
  await fanOut("saturated", { readers: 5_000, messages: 300 }, { plain: 2.5, trpc: 2.5 });
}
if (chosen.includes("idle")) {
  const results = await repeatedly((wire) => measureIdle(wire, 4_000));
  for (const wire of wires) {
    const goal = { atMost: wire === "plain" ? 10 : 16 };
    const kilobytes = (kind: "reachableBytes" | "residentBytes") =>
      results.map(({ bare, [wire]: ours }) => ({ bare: bare[kind] / 1_000, ours: ours[kind] / 1_000 }));
    add(`idle connection, ${wire}, reachable`, "kB", kilobytes("reachableBytes"), ({ ours }) => ours, goal);
    add(`idle connection, ${wire}, resident`, "kB", kilobytes("residentBytes"), ({ ours }) => ours, goal);
  }
}
if (chosen.includes("requests")) {
  for (const [what, count] of [
    ["post", 8_000],
    ["get one", 20_000],
    ["get 50", 5_000],
  ] as const) {
    const results: { bare: Awaited<ReturnType<typeof measureRequests>>; ours: Awaited<ReturnType<typeof measureRequests>> }[] = [];
    for (let run = 0; run < runs; run += 1) {
      results.push({ bare: await measureRequests("bare", what, count), ours: await measureRequests("plain", what, count) });
    }
    const pick = (field: "perSecond" | "cpuMicroseconds") => results.map(({ bare, ours }) => ({ bare: bare[field], ours: ours[field] }));
    add(`${what}, 32 connections`, "a second", pick("perSecond"), ratio);
    add(`${what}, 32 connections`, "µs of CPU each", pick("cpuMicroseconds"), ratio);
  }
}
console.log(`lost ${lost}, repeated ${repeated}; ${runs} run(s) each, ${cpus().length} × ${cpus()[0]?.model}, Node ${process.version}`);

mkdirSync(new URL("results/", import.meta.url), { recursive: true });
const file = new URL(`results/${new Date().toISOString().replaceAll(":", "-")}.json`, import.meta.url);
writeFileSync(file, `${JSON.stringify({ node: process.version, cpu: cpus()[0]?.model, lost, repeated, rows }, undefined, 2)}\n`);
process.exitCode = lost + repeated === 0 && rows.every(meets) ? 0 : 1;
