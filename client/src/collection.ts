/** Owns things read from pages and kept up to date by events, ascending by id. */

export class Collection<Item extends { id: number }> {
  readonly #items = new Map<number, Item>();
  /** What an event has told of is never overwritten by a page: the page may have been read before. The last event of a thing is the truth. */
  readonly #told = new Set<number>();
  /** What events told of things that no page has brought yet. */
  readonly #early = new Map<number, Item>();
  #list: readonly Item[] | undefined = [];

  /** Ascending; the same array until something changes. */
  get list(): readonly Item[] {
    this.#list ??= [...this.#items.values()].sort((one, other) => one.id - other.id);
    return this.#list;
  }

  /** From a page, or the answer to a call. */
  fill(items: readonly Item[]): void {
    for (const item of items) if (!this.#told.has(item.id)) this.#set(this.#early.get(item.id) ?? item);
    this.#early.clear();
  }

  /** From an event, about a thing that only a page still on its way may bring. */
  expect(item: Item): void {
    this.#early.set(item.id, item);
  }

  /** From an event. */
  put(item: Item): void {
    this.#told.add(item.id);
    this.#set(item);
  }

  /** From an event. */
  remove(id: number): void {
    this.#told.add(id);
    if (this.#items.delete(id)) this.#list = undefined;
  }

  /** Lets go of those before an id, as if they had never been read. */
  dropBefore(id: number): void {
    for (const known of this.#items.keys()) {
      if (known >= id) continue;
      this.#items.delete(known);
      this.#told.delete(known);
      this.#list = undefined;
    }
  }

  #set(item: Item): void {
    const last = this.#list?.at(-1);
    const appended = this.#list && !this.#items.has(item.id) && (!last || last.id < item.id);
    this.#items.set(item.id, item);
    this.#list = appended ? [...(this.#list ?? []), item] : undefined;
  }
}
