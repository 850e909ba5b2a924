/** Owns the processes of a measurement and the questions between them: each part of a load runs on its own, so that its time is its own. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";

/** What a server says it uses (probe.ts). */
export interface Usage {
  /** Processor time of all threads since the start. */
  readonly cpuMs: number;
  /** What is reachable after a collection: the heap, and what lies outside it. */
  readonly reachableBytes: number;
  readonly residentBytes: number;
}

interface Question {
  readonly number: number;
  readonly name: string;
  readonly value: unknown;
}

interface Answer {
  readonly number: number;
  readonly result?: unknown;
  readonly error?: string;
}

/** In a child: answers the parent's questions by their names. */
// biome-ignore lint/suspicious/noExplicitAny: each question has its own value; parent and child are written together.
export function answer(answers: Record<string, (value: any) => unknown>): void {
  process.on("message", async ({ number, name, value }: Question) => {
    try {
      process.send?.({ number, result: await answers[name]?.(value) } satisfies Answer);
    } catch (error) {
      process.send?.({ number, error: String(error) } satisfies Answer);
    }
  });
}

function pathOf(file: string): string {
  return fileURLToPath(new URL(file, import.meta.url));
}

/** A child process that is asked, and answers. It ends with this one. */
export class Child {
  readonly process: ChildProcess;
  readonly #open = new Map<number, { resolve: (result: never) => void; reject: (error: Error) => void }>();
  #asked = 0;

  constructor(file: string, options: { nodeOptions?: readonly string[]; environment?: Record<string, string> } = {}) {
    this.process = fork(pathOf(file), {
      execArgv: [...(options.nodeOptions ?? [])],
      env: { ...process.env, ...options.environment },
      stdio: ["ignore", "pipe", "inherit", "ipc"],
    });
    this.process.on("message", ({ number, result, error }: Answer) => {
      const waiting = this.#open.get(number);
      this.#open.delete(number);
      if (error === undefined) waiting?.resolve(result as never);
      else waiting?.reject(new Error(`${file}: ${error}`));
    });
    this.process.on("exit", (code, signal) => {
      for (const { reject } of this.#open.values()) reject(new Error(`${file} ended: ${code ?? signal}`));
    });
  }

  ask<Result>(name: string, value?: unknown): Promise<Result> {
    this.#asked += 1;
    const number = this.#asked;
    return new Promise<Result>((resolve, reject) => {
      this.#open.set(number, { resolve, reject });
      this.process.send({ number, name, value } satisfies Question);
    });
  }

  async stop(): Promise<void> {
    if (this.process.exitCode !== null) return;
    const exited = once(this.process, "exit");
    this.process.kill("SIGKILL");
    await exited;
  }
}

export const serverNames = ["bare", "keenchat"] as const;
export type ServerName = (typeof serverNames)[number];

/** A server under measurement on free ports of loopback, with a database of its own. */
export class MeasuredServer {
  readonly port: number;
  readonly wsPort: number;
  readonly #child: Child;
  readonly #directory: string;

  private constructor(child: Child, directory: string, port: number, wsPort: number) {
    this.#child = child;
    this.#directory = directory;
    this.port = port;
    this.wsPort = wsPort;
  }

  static async start(name: ServerName, nodeOptions: readonly string[] = []): Promise<MeasuredServer> {
    const directory = mkdtempSync(join(tmpdir(), "keenchat-bench-"));
    const child = new Child(name === "bare" ? "bare-server.ts" : "../src/server.ts", {
      nodeOptions: ["--expose-gc", "--import", pathOf("probe.ts"), ...nodeOptions],
      environment: {
        HOST: "127.0.0.1",
        PORT: "0",
        WEBSOCKETS_PORT: "0",
        DATABASE_URL: `sqlite:${join(directory, "bench.db")}`,
        MAX_SOCKETS_PER_ADDRESS: "100000",
        LOG_LEVEL: "warn",
      },
    });
    const ports = await new Promise<number[]>((resolve, reject) => {
      child.process.once("exit", () => reject(new Error(`The ${name} server did not start.`)));
      createInterface({ input: child.process.stdout as Readable }).on("line", (line) => {
        if (line.includes("is ready at")) resolve([...line.matchAll(/127\.0\.0\.1:(\d+)/g)].map(([, port]) => Number(port)));
        else console.error(line);
      });
    });
    const [port = 0, wsPort = port] = ports;
    return new MeasuredServer(child, directory, port, wsPort);
  }

  /** Processor time so far. */
  async cpuMs(): Promise<number> {
    return (await this.#child.ask<Usage>("usage")).cpuMs;
  }

  collected(): Promise<Usage> {
    return this.#child.ask<Usage>("collected");
  }

  /** Ends at once, or with a signal that lets a profile be written. */
  async stop(signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
    const exited = once(this.#child.process, "exit");
    this.#child.process.kill(signal);
    await exited;
    rmSync(this.#directory, { recursive: true, force: true });
  }
}
