/** Owns what this browser stores for a user between visits: drafts, the last channel, and unsent messages. */
import { keyPrefix } from "./server.ts";

/** The prefix under which the client stores unsent messages by user id. */
export const pendingPrefix = `${keyPrefix}.pending`;

const memory = new Map<string, string>();

/** Without storage, or if it is full, the data lasts as long as the page. */
function read(key: string): string | undefined {
  if (memory.has(key)) return memory.get(key);
  try {
    return localStorage.getItem(key) ?? undefined;
  } catch {
    return undefined;
  }
}

function write(key: string, value: string): void {
  memory.delete(key);
  try {
    if (value === "") localStorage.removeItem(key);
    else localStorage.setItem(key, value);
  } catch {
    memory.set(key, value);
  }
}

function keys(): string[] {
  try {
    return [...memory.keys(), ...Object.keys(localStorage)];
  } catch {
    return [...memory.keys()];
  }
}

export class Kept {
  readonly #userId: number;
  readonly #prefix: string;

  constructor(userId: number) {
    this.#userId = userId;
    this.#prefix = `${keyPrefix}.${userId}`;
  }

  draft(channelId: number): string {
    return read(`${this.#prefix}.draft.${channelId}`) ?? "";
  }

  setDraft(channelId: number, text: string): void {
    write(`${this.#prefix}.draft.${channelId}`, text);
  }

  get lastChannel(): number | undefined {
    return Number(read(`${this.#prefix}.channel`)) || undefined;
  }

  set lastChannel(id: number | undefined) {
    write(`${this.#prefix}.channel`, id === undefined ? "" : String(id));
  }

  /** The user signs out: none of their data stays in this browser. */
  forget(): void {
    const prefixes = [`${this.#prefix}.`, `${pendingPrefix}.${this.#userId}.`];
    for (const key of keys()) if (prefixes.some((prefix) => key.startsWith(prefix))) write(key, "");
  }
}
