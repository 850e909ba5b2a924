/** The server as an operator runs it: a process, its environment, its output, its signals. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { Inbox, within } from "./wait.ts";

export const serverFile = fileURLToPath(new URL("../../server.js", import.meta.url));

/** Others may be loading the machine; what has a deadline of its own is measured where it is promised. */
const patienceMs = 60_000;

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** Settles once its output is closed too: nothing it started holds on to it any longer. */
export interface ServerProcess extends AsyncDisposable {
  readonly child: ChildProcess;
  readonly stdout: Inbox<string>;
  readonly stderr: Inbox<string>;
  readonly ended: Promise<Ended>;
  /** Waits for the line that says where the server is. */
  ready(): Promise<{ line: string; restUrl: string; wsUrl: string }>;
  /** Sends a signal and waits for the end. */
  end(signal: NodeJS.Signals): Promise<Ended>;
}

export interface Start {
  /** Program and arguments; the documented start under this Node where it is missing. */
  readonly command?: readonly [string, ...string[]];
  readonly directory?: string;
}

/** Starts a server on free ports of loopback. `environment` is its whole environment, apart from PATH. */
export function startProcess(environment: Record<string, string>, { command, directory }: Start = {}): ServerProcess {
  const [program, ...args] = command ?? [process.execPath, serverFile];
  const { PATH = "", HOME = "" } = process.env;
  const child = spawn(program, args, {
    ...(directory !== undefined && { cwd: directory }),
    env: { PATH, HOME, HOST: "127.0.0.1", PORT: "0", WEBSOCKETS_PORT: "0", ...environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const stdout = new Inbox<string>();
  const stderr = new Inbox<string>();
  createInterface(child.stdout).on("line", (line) => stdout.push(line));
  createInterface(child.stderr).on("line", (line) => stderr.push(line));
  const ended = once(child, "close").then(([code, signal]) => ({ code, signal }) as Ended);

  return {
    child,
    stdout,
    stderr,
    ended,
    async ready() {
      const early = ended.then(({ code }) => Promise.reject(new Error(`it ended with ${code}: ${stderr.items.join("\n")}`)));
      const found = stdout.take("the ready line", (text) => text.includes("is ready"), patienceMs);
      const line = await Promise.race([found, early]);
      const [, restUrl = "", wsUrl = ""] = /(http:\/\/\S+).*?(ws:\/\/[^\s"]+)/.exec(line) ?? [];
      return { line, restUrl, wsUrl };
    },
    end(signal) {
      child.kill(signal);
      return within(patienceMs, `the end after ${signal}`, ended);
    },
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await ended;
    },
  };
}

/** A directory that goes when the test is over. */
export function temporaryDirectory(): Disposable & { readonly path: string } {
  const path = mkdtempSync(join(tmpdir(), "keenchat-process-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}
