/** Owns the server under attack: a child process on fixed ports and one database, killed and started again. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { busOfThisRun, createDatabase, type TestDatabase } from "../support/database.ts";
import { within } from "../support/wait.ts";

const startWithinMs = 30_000;

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen({ port: 0, host: "127.0.0.1" }, resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

export class ServerProcess {
  readonly port: number;
  readonly wsPort: number;
  readonly #database: TestDatabase;
  readonly #entry: readonly string[];
  #child: ChildProcess | undefined;
  /** Problems it logged, and how it ended when nobody had told it to. */
  readonly complaints: string[] = [];

  private constructor(database: TestDatabase, port: number, wsPort: number, entry: readonly string[]) {
    this.#database = database;
    this.port = port;
    this.wsPort = wsPort;
    this.#entry = entry;
  }

  /** `entry`: what Node is to run, relative to this directory, and its arguments. */
  static async start(entry: readonly string[] = ["../../src/server.ts"]): Promise<ServerProcess> {
    const server = new ServerProcess(await createDatabase(), await freePort(), await freePort(), entry);
    await server.#spawn();
    return server;
  }

  /** `kill -9`, and a new start on the same database and ports. */
  async killAndRestart(): Promise<void> {
    await this.#kill();
    await this.#spawn();
  }

  async stop(): Promise<void> {
    await this.#kill();
    await this.#database.drop();
  }

  async #kill(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (!child || child.exitCode !== null) return;
    const exited = once(child, "exit");
    child.kill("SIGKILL");
    await exited;
  }

  async #spawn(): Promise<void> {
    const [file = "", ...rest] = this.#entry;
    // The channel ends the child if this process goes away first (src/server.ts).
    const child = spawn(process.execPath, [fileURLToPath(new URL(file, import.meta.url)), ...rest], {
      stdio: ["ignore", "pipe", "pipe", "ipc"],
      env: {
        ...process.env,
        HOST: "127.0.0.1",
        PORT: String(this.port),
        WEBSOCKETS_PORT: String(this.wsPort),
        ...busOfThisRun,
        DATABASE_URL: this.#database.url,
        LOG_LEVEL: "warn",
      },
    });
    this.#child = child;
    child.on("exit", (code, signal) => {
      if (this.#child === child) this.complaints.push(`the server ended by itself: ${code ?? signal}`);
    });
    const linesOf = (stream: Readable | null) => createInterface({ input: stream as Readable });
    linesOf(child.stderr).on("line", (line) => this.complaints.push(line));
    const ready = new Promise<void>((resolve, reject) => {
      linesOf(child.stdout).on("line", (line) => {
        if (line.includes("Keenchat is ready")) resolve();
        else this.complaints.push(line);
      });
      child.once("exit", () => reject(new Error(`The server did not start: ${this.complaints.join("\n")}`)));
    });
    await within(startWithinMs, "The start of the server", ready);
  }
}
