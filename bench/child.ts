/** Owns the child processes of a measurement and the questions to them: each part of a load runs on its own, so that its time is its own. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import { fileURLToPath } from "node:url";

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
export function answer(answers: Record<string, (value: never) => unknown>): void {
  // However its parent ended.
  process.once("disconnect", () => process.exit());
  process.on("message", async ({ number, name, value }: Question) => {
    try {
      process.send?.({ number, result: await answers[name]?.(value as never) } satisfies Answer);
    } catch (error) {
      process.send?.({ number, error: String(error) } satisfies Answer);
    }
  });
}

export function pathOf(file: string): string {
  return fileURLToPath(new URL(file, import.meta.url));
}

const children = new Set<Child>();
let interrupted = false;

/** An interrupted run ends its processes; whatever waits for one of them fails then, and clears away behind itself. */
export function endChildrenWhenInterrupted(): void {
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.on(signal, () => {
      interrupted = true;
      for (const child of children) child.process.kill("SIGKILL");
    });
  }
}

/** A child process that is asked, and answers. It ends with this one. */
export class Child {
  readonly process: ChildProcess;
  readonly #exited: Promise<unknown>;
  readonly #open = new Map<number, { resolve: (result: never) => void; reject: (error: Error) => void }>();
  #asked = 0;

  constructor(file: string, options: { nodeOptions?: readonly string[]; environment?: Record<string, string> } = {}) {
    if (interrupted) throw new Error("Interrupted.");
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
    children.add(this);
    this.#exited = once(this.process, "exit");
    this.process.on("exit", (code, signal) => {
      children.delete(this);
      for (const { reject } of this.#open.values()) reject(new Error(`${file} ended: ${code ?? signal}`));
    });
  }

  ask<Result>(name: string, value?: unknown): Promise<Result> {
    if (!this.process.connected) return Promise.reject(new Error("The process that is asked has ended."));
    this.#asked += 1;
    const number = this.#asked;
    return new Promise<Result>((resolve, reject) => {
      this.#open.set(number, { resolve, reject });
      this.process.send({ number, name, value } satisfies Question);
    });
  }

  /** Ends at once, or with a signal that lets a profile be written. */
  async stop(signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
    this.process.kill(signal);
    await this.#exited;
  }
}
