/** Owns what outlives the page: drafts and messages that were not sent yet, for each user. Without storage they last as long as the page. */
import type { Outgoing } from "./outgoing.ts";

const memory = new Map<string, string>();

function read(key: string): string | undefined {
  try {
    return localStorage.getItem(key) ?? undefined;
  } catch {
    return memory.get(key);
  }
}

function write(key: string, value: string | undefined): void {
  try {
    if (value === undefined) localStorage.removeItem(key);
    else localStorage.setItem(key, value);
  } catch {
    if (value === undefined) memory.delete(key);
    else memory.set(key, value);
  }
}

function keys(): string[] {
  try {
    return Object.keys(localStorage);
  } catch {
    return [...memory.keys()];
  }
}

export class Kept {
  readonly #prefix: string;

  constructor(userId: number) {
    this.#prefix = `keenchat.${userId}`;
  }

  draft(channelId: number): string {
    return read(`${this.#prefix}.draft.${channelId}`) ?? "";
  }

  setDraft(channelId: number, text: string): void {
    write(`${this.#prefix}.draft.${channelId}`, text === "" ? undefined : text);
  }

  get lastChannel(): number | undefined {
    return Number(read(`${this.#prefix}.channel`)) || undefined;
  }

  set lastChannel(id: number | undefined) {
    write(`${this.#prefix}.channel`, id === undefined ? undefined : String(id));
  }

  /** Each under a key of its own, so that two pages of one user do not write over each other. */
  setOutgoing({ state, reason, ...kept }: Outgoing): void {
    write(`${this.#prefix}.outbox.${kept.key}`, JSON.stringify(kept));
  }

  dropOutgoing(key: string): void {
    write(`${this.#prefix}.outbox.${key}`, undefined);
  }

  outgoing(): Outgoing[] {
    const prefix = `${this.#prefix}.outbox.`;
    return keys()
      .filter((key) => key.startsWith(prefix))
      .flatMap((key) => {
        const text = read(key);
        return text === undefined ? [] : [{ ...(JSON.parse(text) as Outgoing), state: "waiting" as const }];
      })
      .sort((a, b) => a.at - b.at);
  }
}
