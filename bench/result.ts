/** Owns the files of results: one a run, in bench/results/. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import process from "node:process";
import type { ClusterReport } from "./cluster.ts";
import type { Figure } from "./figures.ts";

export interface Result {
  readonly at: string;
  readonly node: string;
  readonly cpu: string;
  readonly cores: number;
  /** The machine's load average when the run began. */
  readonly loadBefore: number;
  readonly lost: number;
  readonly repeated: number;
  readonly rows: readonly Figure[];
  /** What the simulation is fitted to and held against: each plan as often as there were rounds. */
  readonly configurations: readonly ClusterReport[];
}

const directory = new URL("results/", import.meta.url);

export function writeResult(result: Pick<Result, "loadBefore" | "lost" | "repeated" | "rows" | "configurations">): void {
  const at = new Date().toISOString();
  const whole: Result = { at, node: process.version, cpu: cpus()[0]?.model ?? "", cores: cpus().length, ...result };
  mkdirSync(directory, { recursive: true });
  writeFileSync(new URL(`${at.replaceAll(":", "-")}.json`, directory), `${JSON.stringify(whole, undefined, 2)}\n`);
}

/** The newest result that has what is looked for; undefined where none has. */
export function newestResult(has: (result: Result) => boolean): Result | undefined {
  if (!existsSync(directory)) return undefined;
  const files = readdirSync(directory).filter((file) => file.endsWith(".json"));
  const results = files.sort().map((file) => JSON.parse(readFileSync(new URL(file, directory), "utf8")) as Result);
  return results.findLast(has);
}
