/** Owns a set of the last ids that were added, up to a fixed number. */

export class RecentIds {
  readonly #ids = new Set<number>();
  readonly #max: number;

  constructor(max: number) {
    this.#max = max;
  }

  add(id: number): void {
    this.#ids.add(id);
    for (const oldest of this.#ids) {
      if (this.#ids.size <= this.#max) return;
      this.#ids.delete(oldest);
    }
  }

  clear(): void {
    this.#ids.clear();
  }

  has(id: number): boolean {
    return this.#ids.has(id);
  }
}
