/** Owns the clock that the processes of a measurement share. */
import process from "node:process";

/** Milliseconds of CLOCK_MONOTONIC: on Linux the same in every process of a machine. */
export function monotonicMs(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1_000 + nanoseconds / 1_000_000;
}
