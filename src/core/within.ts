/** Owns waiting for something that may never come: the wait ends, and leaves no timer. */
import type { Clock } from "./clock.ts";

/** Resolves with the promise, or with undefined after the time. Rejects as the promise does. */
export async function within<T>(clock: Clock, timeoutMs: number, promise: Promise<T>): Promise<T | undefined> {
  let cancel = () => {};
  const late = new Promise<undefined>((resolve) => {
    cancel = clock.after(timeoutMs, () => resolve(undefined));
  });
  return await Promise.race([promise, late]).finally(cancel);
}
