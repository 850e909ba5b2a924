/** Owns the limit on what a client sends: too many frames are borne for a while, or as many as that makes at once, then no longer. */
import type { Clock } from "../../core/clock.ts";
import { floodSeconds } from "../../core/limits.ts";

export class FrameRate {
  readonly #clock: Clock;
  readonly #framesPerSecond: number;
  #frames = 0;
  #second = 0;
  #floodedSeconds = 0;
  /** When all frames up to now would have come, at the rate that is allowed; in milliseconds. */
  #dueUntil = 0;

  constructor(clock: Clock, framesPerSecond: number) {
    this.#clock = clock;
    this.#framesPerSecond = framesPerSecond;
  }

  /** Counts one frame; true once the limit was passed in each of the last 5 seconds, or by the frames of 5 seconds at once. */
  floods(): boolean {
    const now = this.#clock.monotonic();
    this.#dueUntil = Math.max(this.#dueUntil, now) + 1_000 / this.#framesPerSecond;
    const second = Math.floor(now / 1_000);
    if (second !== this.#second) {
      const consecutive = second === this.#second + 1;
      this.#floodedSeconds = consecutive && this.#frames > this.#framesPerSecond ? this.#floodedSeconds + 1 : 0;
      this.#second = second;
      this.#frames = 0;
    }
    this.#frames += 1;
    return this.#floodedSeconds >= floodSeconds || this.#dueUntil - now > floodSeconds * 1_000;
  }
}
