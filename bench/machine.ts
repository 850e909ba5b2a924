/** Owns what the processes of a measurement share: the clock, and the cores. Linux only. */
import { readFileSync } from "node:fs";
import process from "node:process";

/** The kernel's unit of processor time in /proc, the same on every Linux. */
const tickMs = 10;

/** Milliseconds of CLOCK_MONOTONIC: the same in every process of a machine. */
export function monotonicMs(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1_000 + nanoseconds / 1_000_000;
}

/** Processor time of one process so far; nothing where it has ended meanwhile. */
export function processCpuMs(pid: number): number {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  } catch {
    return 0;
  }
  // The name of the program, in brackets, may hold spaces.
  const fields = stat.split(") ").at(-1)?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) * tickMs;
}

/** Processor time of all cores so far: in use by anybody, and in all. What a host takes away from a virtual machine is in use. */
export function coresCpuMs(): { readonly busy: number; readonly all: number } {
  const [line = ""] = readFileSync("/proc/stat", "utf8").split("\n");
  const ticks = line.split(/\s+/).slice(1, 9).map(Number);
  const all = ticks.reduce((sum, part) => sum + part, 0);
  return { busy: (all - (ticks[3] ?? 0) - (ticks[4] ?? 0)) * tickMs, all: all * tickMs };
}
