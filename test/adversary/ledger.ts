/** Owns the truth of a run: what was acknowledged, what was refused, what each reader saw; and the judgement over it. */

export interface SeenMessage {
  readonly id: number;
  readonly text: string;
  /** The event's id: the same on every wire. */
  readonly cursor: string;
}

interface Acknowledged {
  readonly id: number;
  readonly text: string;
}

/** One reader's page of the ledger. */
export class Account {
  readonly name: string;
  readonly seen: SeenMessage[] = [];
  resyncs = 0;
  readonly #changed: () => void;

  constructor(name: string, changed: () => void) {
    this.name = name;
    this.#changed = changed;
  }

  /** Books an event as the reader got it. */
  book(event: string, data: unknown, cursor: string | undefined): void {
    if (event === "resync") this.resyncs += 1;
    if (event !== "post message") return;
    const { id, message_text: text } = data as { id: number; message_text: string };
    this.seen.push({ id, text, cursor: cursor ?? "" });
    this.#changed();
  }
}

function repeatedIds(seen: readonly SeenMessage[]): number[] {
  const ids = new Set<number>();
  return seen.flatMap(({ id }) => {
    if (ids.has(id)) return [id];
    ids.add(id);
    return [];
  });
}

/** What is wrong, by kind and reader. */
export interface Finding {
  readonly reader: string;
  readonly kind: "lost" | "repeated" | "out of order" | "never acknowledged" | "refused" | "not as sent" | "another id" | "resync";
  readonly count: number;
  /** The first few messages concerned. */
  readonly messages: readonly number[];
}

export class Ledger {
  /** By `client_message_id`. */
  readonly #acknowledged = new Map<string, Acknowledged>();
  readonly #refused = new Set<string>();
  readonly accounts: Account[] = [];
  readonly #waiting = new Set<() => void>();
  /** Posts that an earlier answer, or its loss, had made repetitions of. */
  repetitions = 0;

  get acknowledged(): number {
    return this.#acknowledged.size;
  }

  get refused(): number {
    return this.#refused.size;
  }

  open(name: string): Account {
    const account = new Account(name, () => this.changed());
    this.accounts.push(account);
    return account;
  }

  /** @throws where the same key was acknowledged as another message before. */
  acknowledge(key: string, message: Acknowledged): void {
    const before = this.#acknowledged.get(key);
    if (before && before.id !== message.id) throw new Error(`${key} was acknowledged as message ${before.id} and as ${message.id}.`);
    this.#acknowledged.set(key, message);
    this.changed();
  }

  refuse(text: string): void {
    this.#refused.add(text);
  }

  changed(): void {
    for (const check of this.#waiting) check();
  }

  /** Resolves when something that the ledger knows has come true. */
  until(condition: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const check = () => {
        if (!condition()) return;
        this.#waiting.delete(check);
        resolve();
      };
      this.#waiting.add(check);
      check();
    });
  }

  judge(): Finding[] {
    const texts = new Map([...this.#acknowledged.values()].map(({ id, text }) => [id, text]));
    const cursors = new Map<number, string>();
    return this.accounts.flatMap((account) => {
      const { name, seen } = account;
      const ids = new Set(seen.map(({ id }) => id));
      const found: [Finding["kind"], number[]][] = [
        ["lost", [...texts.keys()].filter((id) => !ids.has(id))],
        ["repeated", repeatedIds(seen)],
        ["out of order", seen.filter(({ id }, index) => id < (seen[index - 1]?.id ?? 0)).map(({ id }) => id)],
        ["refused", seen.filter(({ text }) => this.#refused.has(text)).map(({ id }) => id)],
        ["never acknowledged", [...ids].filter((id) => !texts.has(id))],
        ["not as sent", seen.filter(({ id, text }) => (texts.get(id) ?? text) !== text).map(({ id }) => id)],
        ["another id", seen.filter(({ id, cursor }) => (cursors.get(id) ?? cursor) !== cursor).map(({ id }) => id)],
        ["resync", new Array<number>(account.resyncs).fill(0)],
      ];
      for (const { id, cursor } of seen) cursors.set(id, cursor);
      return found.flatMap(([kind, messages]) =>
        messages.length > 0 ? [{ reader: name, kind, count: messages.length, messages: messages.slice(0, 5) }] : [],
      );
    });
  }
}
