/** What was measured of what src/README.md guarantees: a line each in one table, at the end of the run. */
import { appendFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";

interface Measurement {
  /** G1 to G16, or another short name. */
  readonly guarantee: string;
  readonly what: string;
  readonly promisedMs: number;
  readonly ms: number;
}

const variable = "KEENCHAT_TEST_MEASURED";

/** Writes a time down. @throws Error where it is longer than promised. */
export function measured(guarantee: string, what: string, promisedMs: number, ms: number): void {
  const file = process.env[variable];
  if (file) appendFileSync(file, `${JSON.stringify({ guarantee, what, promisedMs, ms } satisfies Measurement)}\n`);
  if (ms > promisedMs) throw new Error(`${guarantee}, ${what}: promised are ${promisedMs} ms, it took ${ms.toFixed(0)}.`);
}

const text = (ms: number) => `${Math.round(ms).toLocaleString("en")} ms`;

function table(lines: string): string {
  const worst = new Map<string, Measurement>();
  for (const line of lines.split("\n").filter((each) => each !== "")) {
    const one = JSON.parse(line) as Measurement;
    const key = `${one.guarantee} ${one.what}`;
    if (one.ms > (worst.get(key)?.ms ?? -1)) worst.set(key, one);
  }
  const sorted = [...worst.values()].sort((a, b) =>
    `${a.guarantee.padStart(4)} ${a.what}`.localeCompare(`${b.guarantee.padStart(4)} ${b.what}`),
  );
  const width = Math.max(...sorted.map(({ what }) => what.length));
  return sorted
    .map(
      ({ guarantee, what, promisedMs, ms }) =>
        `${guarantee.padEnd(5)}${what.padEnd(width)}  promised ${text(promisedMs).padStart(9)}  measured ${text(ms).padStart(9)}${ms > promisedMs ? "  BROKEN" : ""}\n`,
    )
    .join("");
}

/** Vitest's: around the whole run. */
export function setup(): () => void {
  const directory = mkdtempSync(join(tmpdir(), "keenchat-measured-"));
  const file = join(directory, "measured");
  appendFileSync(file, "");
  process.env[variable] = file;
  return () => {
    const lines = readFileSync(file, "utf8");
    if (lines !== "") process.stdout.write(`\nGuarantees, the worst that was measured:\n${table(lines)}\n`);
    rmSync(directory, { recursive: true, force: true });
  };
}
