/** A PostgreSQL of a test's own, in a directory of its own on a free port, which it may stop in every way there is. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chownSync, globSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import { freePort } from "./redis-server.ts";
import { Inbox, within } from "./wait.ts";

/** PostgreSQL's own words for the ways to end it: clients are put out; everything is dropped, to be recovered at the start; killed. */
const signals = { fast: "SIGINT", immediate: "SIGQUIT", kill: "SIGKILL" } as const;

/** Debian keeps them out of PATH, and the newest is the last. */
const programs = globSync("/usr/lib/postgresql/*/bin").sort().at(-1);

/** It refuses to run as root; then it runs as the user that its package has made. */
function owner(): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const id = (what: string) => Number(execFileSync("id", [what, "postgres"], { encoding: "utf8" }));
  return { uid: id("-u"), gid: id("-g") };
}

/** As in postgresql.conf. */
type Settings = Record<string, string>;

export class PostgresServer implements AsyncDisposable {
  readonly #owner = owner();
  readonly #directories: string[] = [];
  readonly directory = this.makeDirectory();
  readonly port: number;
  /** What the next start is given. */
  readonly settings: Settings;
  #child: ChildProcess | undefined;

  private constructor(port: number, settings: Settings) {
    this.port = port;
    this.settings = settings;
    this.run("initdb", ["-D", this.directory, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync"]);
  }

  static async start(settings: Settings = {}): Promise<PostgresServer> {
    const server = new PostgresServer(await freePort(), settings);
    await server.start();
    return server;
  }

  /** Starts from a base backup, in the place of what it had, and goes on as far as the settings say. */
  async recover(backup: string): Promise<void> {
    const commands = [`rm -rf ${this.directory}/*`, `cp -a ${backup}/. ${this.directory}`, `touch ${this.directory}/recovery.signal`];
    execFileSync("sh", ["-c", commands.join(" && ")], { ...this.#owner });
    await this.start();
  }

  /** A directory that PostgreSQL may write to; it goes with the server. */
  makeDirectory(): string {
    const directory = mkdtempSync(join(tmpdir(), "keenchat-postgres-"));
    if (this.#owner) chownSync(directory, this.#owner.uid, this.#owner.gid);
    this.#directories.push(directory);
    return directory;
  }

  /** Runs one of PostgreSQL's programs. */
  run(program: string, args: readonly string[]): void {
    execFileSync(join(programs ?? "", program), args, { ...this.#owner, cwd: this.directory, stdio: "pipe" });
  }

  get url(): string {
    return `postgres://postgres@127.0.0.1:${this.port}/postgres`;
  }

  /** Resolves once it takes connections. After a kill it waits for what is left of the one before. */
  async start(): Promise<void> {
    while (!(await this.#attempt())) await new Promise((resolve) => setTimeout(resolve, 100));
  }

  async stop(how: keyof typeof signals): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    child.kill(signals[how]);
    await within(30_000, `PostgreSQL's end (${how})`, ended);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop("immediate");
    for (const directory of this.#directories) rmSync(directory, { recursive: true, force: true, maxRetries: 10 });
  }

  /** False where another's leavings are still in the way. */
  async #attempt(): Promise<boolean> {
    const options = { port: this.port, listen_addresses: "127.0.0.1", unix_socket_directories: "", ...this.settings };
    const settings = Object.entries(options).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
    const child = spawn(join(programs ?? "", "postgres"), ["-D", this.directory, ...settings], {
      ...this.#owner,
      cwd: this.directory,
      stdio: ["ignore", "ignore", "pipe"],
    });
    const lines = new Inbox<string>();
    createInterface(child.stderr).on("line", (line) => lines.push(line));
    const ended = once(child, "exit").then(() => false);
    const ready = lines.take("its ready line", (line) => line.includes("ready to accept connections"), 60_000).then(() => true);
    const isReady = await Promise.race([ready, ended]);
    ready.catch(() => {});
    if (isReady) this.#child = child;
    else if (!lines.items.some((line) => /pre-existing shared memory|lock file|Address already in use/.test(line)))
      throw new Error(`PostgreSQL does not start: ${lines.items.join("\n")}`);
    return isReady;
  }
}
