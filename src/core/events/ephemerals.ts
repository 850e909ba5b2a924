/** Owns the events outside the log: of each only the latest state counts, for a reader that was behind the log when it was announced. */

export interface Ephemeral {
  readonly name: string;
  readonly payload: string;
  readonly channel_id: number | null;
}

export interface EphemeralState extends Ephemeral {
  readonly version: number;
  /** Monotonic milliseconds. */
  readonly at: number;
}

/** Readers further behind have reconnected or gone. */
const keptMs = 120_000;

export class Ephemerals {
  readonly #states = new Map<string, EphemeralState>();
  #version = 0;

  /** Counts announcements. */
  get version(): number {
    return this.#version;
  }

  /** Replaces the state under the same key. */
  announce(key: string, ephemeral: Ephemeral, now: number): EphemeralState {
    this.#version += 1;
    const state = { ...ephemeral, version: this.#version, at: now };
    // Deleted first, so that the map's order is the order of versions.
    this.#states.delete(key);
    this.#states.set(key, state);
    return state;
  }

  since(version: number): EphemeralState[] {
    if (version === this.#version) return [];
    return [...this.#states.values()].filter((state) => state.version > version);
  }

  forgetOld(now: number): void {
    for (const [key, state] of this.#states) {
      if (now - state.at < keptMs) return;
      this.#states.delete(key);
    }
  }
}
