/** A person at a terminal: commands typed one after the other into one shell, and those that go on running in another. */
import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { createInterface } from "node:readline";
import { Inbox } from "./wait.ts";

const patienceMs = 60_000;

/** What a document says is printed; `…` stands for what is different each time. */
export function printedPattern(text: string): string {
  return text
    .trim()
    .replaceAll(/[\\^$.*+?()[\]{}|]/g, "\\$&")
    .replaceAll("…", ".*");
}

export class Terminal implements Disposable {
  readonly #shell: ChildProcess;
  readonly #lines = new Inbox<string>();
  readonly #running: ChildProcess[] = [];
  #seen = 0;

  constructor() {
    this.#shell = spawn("bash", ["-u"], { stdio: ["pipe", "pipe", "inherit"] });
    if (this.#shell.stdout) createInterface(this.#shell.stdout).on("line", (line) => this.#lines.push(line));
    this.#shell.stdin?.write("set -o pipefail; exec 2>&1\n");
  }

  /** Types one command and gives what it printed. @throws Error where it fails. */
  async type(command: string): Promise<string> {
    const mark = randomUUID();
    // A command that prints no end of line still ends its line here.
    this.#shell.stdin?.write(`${command}\nprintf '\\n%s %s\\n' ${mark} $?\n`);
    const end = await this.#lines.take(`the end of ${command}`, (line) => line.startsWith(mark), patienceMs);
    const printed = this.#lines.items.slice(this.#seen, this.#lines.items.indexOf(end));
    this.#seen = this.#lines.items.length;
    const text = printed.join("\n").trim();
    if (end !== `${mark} 0`) throw new Error(`${command} failed:\n${text}`);
    return text;
  }

  /** Starts a command that goes on, in a terminal of its own. */
  watch(command: string): { has(what: string, text: string): Promise<unknown> } {
    const child = spawn("bash", ["-uc", `exec ${command}`], { stdio: ["ignore", "pipe", "inherit"] });
    this.#running.push(child);
    const lines = new Inbox<string>();
    createInterface(child.stdout).on("line", (line) => lines.push(line));
    return {
      /** Waits until the text is there, line by line as written. */
      has(what, text) {
        const pattern = new RegExp(printedPattern(text));
        return lines.take(what, () => pattern.test(lines.items.join("\n")), patienceMs);
      },
    };
  }

  [Symbol.dispose](): void {
    this.#shell.kill();
    for (const child of this.#running) child.kill();
  }
}
