/** Owns turns at expensive work: a few at a time, shared fairly by address, so that no address delays the others. */
import { addressKey } from "./address.ts";

interface Waiting {
  readonly begin: () => Promise<void>;
  readonly isWanted: () => boolean;
  readonly drop: () => void;
}

/** The waiting work of one address, in order of arrival. */
interface Line {
  readonly key: string;
  readonly waiting: Waiting[];
}

export class FairQueue {
  readonly #atOnce: number;
  /** The address with the next turn is first. */
  readonly #lines: Line[] = [];
  #running = 0;
  #due = false;

  constructor(atOnce: number) {
    this.#atOnce = atOnce;
  }

  /** Runs a piece of work in its turn. Undefined if its caller has left by then. */
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
