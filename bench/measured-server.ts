/** Owns a server under measurement: a process on free ports of loopback, and what it uses. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { Child, pathOf } from "./child.ts";

/** What a server says it uses (probe.ts). */
export interface Usage {
  /** Processor time of all threads since the start. */
  readonly cpuMs: number;
  /** What is reachable after a collection: the heap, and what lies outside it. */
  readonly reachableBytes: number;
  readonly residentBytes: number;
}

const serverFiles = { bare: "bare-server.ts", transactions: "transactions-server.ts", keenchat: "../src/server.ts" } as const;
export type ServerName = keyof typeof serverFiles;

export interface ServerOptions {
  readonly nodeOptions?: readonly string[];
  /** Without `DATABASE_URL` it gets a SQLite file of its own. */
  readonly environment?: Record<string, string>;
  /** The only core it may use. */
  readonly core?: number;
}

/** Resolves with the ports that a server says it is ready at. */
function portsOf(name: ServerName, child: Child): Promise<number[]> {
  return new Promise((resolve, reject) => {
    child.process.once("exit", () => reject(new Error(`The ${name} server did not start.`)));
    createInterface({ input: child.process.stdout as Readable }).on("line", (line) => {
      if (line.includes("is ready at")) resolve([...line.matchAll(/127\.0\.0\.1:(\d+)/g)].map(([, port]) => Number(port)));
      else console.error(line);
    });
  });
}

export class MeasuredServer {
  readonly port: number;
  readonly wsPort: number;
  readonly #child: Child;
  readonly #profiled: boolean;
  readonly #directory: string;

  private constructor(child: Child, profiled: boolean, directory: string, [port = 0, wsPort = port]: readonly number[]) {
    this.#child = child;
    this.#profiled = profiled;
    this.#directory = directory;
    this.port = port;
    this.wsPort = wsPort;
  }

  static async start(name: ServerName, { nodeOptions = [], environment = {}, core }: ServerOptions = {}): Promise<MeasuredServer> {
    const directory = mkdtempSync(join(tmpdir(), "keenchat-bench-"));
    const profile = name === "keenchat" ? process.env["BENCH_PROFILE"] : undefined;
    const profiler = profile === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${profile}`];
    try {
      const child = new Child(serverFiles[name], {
        nodeOptions: ["--expose-gc", "--import", pathOf("probe.ts"), ...profiler, ...nodeOptions],
        environment: {
          HOST: "127.0.0.1",
          PORT: "0",
          WEBSOCKETS_PORT: "0",
          DATABASE_URL: `sqlite:${join(directory, "bench.db")}`,
          MAX_SOCKETS_PER_ADDRESS: "100000",
          LOG_LEVEL: "warn",
          ...environment,
        },
      });
      const ports = await portsOf(name, child);
      // All its threads; those to come are born where their parent is.
      if (core !== undefined) execFileSync("taskset", ["-a", "-c", "-p", String(core), String(child.process.pid)]);
      return new MeasuredServer(child, profile !== undefined, directory, ports);
    } catch (error) {
      rmSync(directory, { recursive: true, force: true });
      throw error;
    }
  }

  /** Processor time so far. */
  async cpuMs(): Promise<number> {
    return (await this.#child.ask<Usage>("usage")).cpuMs;
  }

  collected(): Promise<Usage> {
    return this.#child.ask<Usage>("collected");
  }

  async stop(): Promise<void> {
    // A profile is written at an orderly end.
    await this.#child.stop(this.#profiled ? "SIGTERM" : "SIGKILL");
    rmSync(this.#directory, { recursive: true, force: true });
  }
}
