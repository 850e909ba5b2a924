/** Waiting for what happens, with a deadline; never for time to pass. */

/** Rejects where `promise` takes longer than `ms`. */
export async function within<T>(ms: number, what: string | (() => string), promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${typeof what === "string" ? what : what()} took longer than ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Asks until the answer is yes; for what tells nobody when it happens. Gives how long that took, in milliseconds. */
export async function until(what: string, ms: number, holds: () => boolean | Promise<boolean>): Promise<number> {
  const started = performance.now();
  while (!(await holds())) {
    if (performance.now() - started > ms) throw new Error(`${what} took longer than ${ms} ms`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return performance.now() - started;
}

/** What came in, in order, and the way to wait for what has not come yet. */
export class Inbox<Item> {
  readonly items: Item[] = [];
  readonly #waiting = new Set<() => void>();

  push(item: Item): void {
    this.items.push(item);
    for (const check of this.#waiting) check();
  }

  /** The first item that matches, now or within the deadline. */
  async take(what: string, matches: (item: Item) => boolean, ms = 5_000): Promise<Item> {
    const [item] = await this.count(what, 1, matches, ms);
    return item as Item;
  }

  /** Those that match, once there are `count` of them. Looks at each item once. */
  count(what: string, count: number, matches: (item: Item) => boolean = () => true, ms = 5_000): Promise<Item[]> {
    const matching: Item[] = [];
    let seen = 0;
    let check = () => {};
    const found = new Promise<Item[]>((resolve) => {
      check = () => {
        for (const item of this.items.slice(seen)) if (matches(item)) matching.push(item);
        seen = this.items.length;
        if (matching.length >= count) resolve(matching);
      };
      this.#waiting.add(check);
      check();
    });
    const described = () => `${count === 1 ? "" : `${count} × `}${what} (got ${JSON.stringify(this.items).slice(0, 500)})`;
    return within(ms, described, found).finally(() => this.#waiting.delete(check));
  }
}
