/** Owns a pause in long work: everything else has its turn of the event loop in between. */

export function yieldToOthers(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
