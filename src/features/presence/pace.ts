/** Owns how often each user may cause something: at once while it is rare, at a steady rate where it is not. */
import type { Clock } from "../../core/clock.ts";

export interface PaceOptions {
  /** How many at once. */
  readonly burst: number;
  /** One more each time this has passed. */
  readonly intervalMs: number;
}

export class Pace {
  readonly #clock: Clock;
  readonly #options: PaceOptions;
  /** When each user has made up for all that was taken, in the order of the last taking. */
  readonly #evenAt = new Map<number, number>();

  constructor(clock: Clock, options: PaceOptions) {
    this.#clock = clock;
    this.#options = options;
  }

  /** Takes one and gives 0; where none is left it takes nothing, and gives the milliseconds until there is one. */
  take(userId: number): number {
    const { burst, intervalMs } = this.#options;
    const now = this.#clock.monotonic();
    this.#forget(now);
    const evenAt = Math.max(this.#evenAt.get(userId) ?? now, now);
    const waitMs = Math.ceil(evenAt - now - (burst - 1) * intervalMs);
    if (waitMs > 0) return waitMs;
    this.#evenAt.delete(userId);
    this.#evenAt.set(userId, evenAt + intervalMs);
    return 0;
  }

  #forget(now: number): void {
    for (const [userId, evenAt] of this.#evenAt) {
      if (evenAt > now) return;
      this.#evenAt.delete(userId);
    }
  }
}
