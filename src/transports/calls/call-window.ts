/** Owns how many calls of one connection are under way at once: the larger its answers are, the fewer. */

/** What the answers that are under way may come to together. */
const heldBytes = 1024 * 1024;
/** How much of what it remembers a window keeps from call to call. */
const memory = 7 / 8;

export class CallWindow {
  /** The largest of the last answers. Nothing is known of the first: it goes alone. */
  #largestBytes: number | undefined;

  /** How many of at most `max` calls may be under way. */
  size(max: number): number {
    return this.#largestBytes === undefined ? 1 : Math.max(1, Math.min(max, Math.floor(heldBytes / this.#largestBytes)));
  }

  note(bytes: number): void {
    this.#largestBytes = Math.max(1, bytes, (this.#largestBytes ?? 0) * memory);
  }
}
