/** A clock that stands still until a test moves it. */
import type { Clock } from "../../src/core/clock.ts";

interface Timer {
  at: number;
  readonly callback: () => void;
  readonly periodMs?: number;
}

export class TestClock implements Clock {
  #wall = Date.now();
  #monotonic = 0;
  readonly #timers = new Set<Timer>();

  now(): number {
    return this.#wall;
  }

  monotonic(): number {
    return this.#monotonic;
  }

  after(delayMs: number, callback: () => void): () => void {
    return this.#add({ at: this.#monotonic + delayMs, callback });
  }

  every(periodMs: number, callback: () => void): () => void {
    return this.#add({ at: this.#monotonic + periodMs, callback, periodMs });
  }

  /** Moves both times forward, and calls what falls due, in order. */
  advance(ms: number): void {
    const end = this.#monotonic + ms;
    for (let due = this.#next(end); due; due = this.#next(end)) {
      this.#wall += due.at - this.#monotonic;
      this.#monotonic = due.at;
      if (due.periodMs === undefined) this.#timers.delete(due);
      else due.at += due.periodMs;
      due.callback();
    }
    this.#wall += end - this.#monotonic;
    this.#monotonic = end;
  }

  /** Sets the wall clock alone, as an operator or a time server does. */
  jump(ms: number): void {
    this.#wall += ms;
  }

  #add(timer: Timer): () => void {
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  #next(end: number): Timer | undefined {
    let first: Timer | undefined;
    for (const timer of this.#timers) if (timer.at <= end && (!first || timer.at < first.at)) first = timer;
    return first;
  }
}
