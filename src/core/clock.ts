/** Owns time: all code that a guarantee depends on reads the time and waits here, so that tests can pass their own clock. */

export interface Clock {
  /** Wall time, integer milliseconds since the Unix epoch. For times people see, and for `expires_at`. */
  now(): number;
  /** Milliseconds that only increase, from an arbitrary start. For every lease, timeout and heartbeat. */
  monotonic(): number;
  /** Calls back once, `delayMs` of monotonic time from now; returns the way to cancel. Never keeps the process alive. */
  after(delayMs: number, callback: () => void): () => void;
  /** Calls back every `periodMs` of monotonic time; returns the way to stop. Never keeps the process alive. */
  every(periodMs: number, callback: () => void): () => void;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(delayMs, callback) {
    const timer = setTimeout(callback, delayMs);
    timer.unref();
    return () => clearTimeout(timer);
  },
  every(periodMs, callback) {
    const timer = setInterval(callback, periodMs);
    timer.unref();
    return () => clearInterval(timer);
  },
};
