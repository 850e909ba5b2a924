/** Owns turns at work that costs the process much: a few at a time, and shared out by address, so that none keeps the others waiting. */
import { addressKey } from "./address.ts";

interface Waiting {
  readonly begin: () => Promise<void>;
  readonly isWanted: () => boolean;
  readonly drop: () => void;
}

/** Those of one address, in the order they came. */
interface Line {
  readonly key: string;
  readonly waiting: Waiting[];
}

export class FairQueue {
  readonly #atOnce: number;
  /** Whose turn is next stands first. */
  readonly #lines: Line[] = [];
  #running = 0;
  #due = false;

  constructor(atOnce: number) {
    this.#atOnce = atOnce;
  }

  /** Does a piece of work in its turn. Undefined where by then it is not wanted any more. */
  take<Result>(address: string, work: () => Promise<Result>, isWanted: () => boolean): Promise<Result | undefined> {
    return new Promise((resolve, reject) => {
      const begin = () => work().then(resolve, reject);
      this.#lineOf(addressKey(address)).waiting.push({ begin, isWanted, drop: () => resolve(undefined) });
      this.#schedule();
    });
  }

  #lineOf(key: string): Line {
    const known = this.#lines.find((line) => line.key === key);
    if (known) return known;
    const line: Line = { key, waiting: [] };
    this.#lines.push(line);
    return line;
  }

  /** Each turn is one of the event loop's, so that everything else has its own in between. */
  #schedule(): void {
    if (this.#due || this.#running >= this.#atOnce || this.#lines.length === 0) return;
    this.#due = true;
    setImmediate(() => {
      this.#due = false;
      this.#begin();
    });
  }

  #begin(): void {
    const next = this.#next();
    if (next) {
      this.#running += 1;
      void next.begin().finally(() => {
        this.#running -= 1;
        this.#schedule();
      });
    }
    this.#schedule();
  }

  /** The first of the address whose turn it is; the others of that address stand behind every other one. */
  #next(): Waiting | undefined {
    for (let line = this.#lines.shift(); line; line = this.#lines.shift()) {
      let next = line.waiting.shift();
      for (; next && !next.isWanted(); next = line.waiting.shift()) next.drop();
      if (line.waiting.length > 0) this.#lines.push(line);
      if (next) return next;
    }
    return undefined;
  }
}
