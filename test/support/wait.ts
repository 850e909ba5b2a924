/** Waiting for what happens, with a deadline; never for time to pass. */

/** Rejects where `promise` takes longer than `ms`. */
export async function within<T>(ms: number, what: string, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} took longer than ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
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
  take(what: string, matches: (item: Item) => boolean, ms = 5_000): Promise<Item> {
    let check = () => {};
    const found = new Promise<Item>((resolve) => {
      check = () => {
        const item = this.items.find(matches);
        if (item !== undefined) resolve(item);
      };
      this.#waiting.add(check);
      check();
    });
    return within(ms, `${what} (got ${JSON.stringify(this.items).slice(0, 500)})`, found).finally(() => this.#waiting.delete(check));
  }

  /** Resolves once there are `count` items that match. */
  async count(what: string, count: number, matches: (item: Item) => boolean = () => true, ms = 5_000): Promise<Item[]> {
    await this.take(`${count} × ${what}`, () => this.items.filter(matches).length >= count, ms);
    return this.items.filter(matches);
  }
}
