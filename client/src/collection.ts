/** Owns things read from pages and kept up to date by events, ascending by id. */

export class Collection<Item extends { id: number }> {
  readonly #items = new Map<number, Item>();
  /** A page never overwrites what an event brought, because the page may be older. The last event of an item counts. */
  readonly #told = new Set<number>();
  /** Items of events that are on no page yet. */
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

  /** From an event, about an item that only a page under way may bring. */
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

  /** Forgets the items before an id, as if they had never been read. */
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
