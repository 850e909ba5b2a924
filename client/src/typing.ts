/** Owns the announcement that the user is typing: rare enough for the server, frequent enough not to expire. */
import type { Calls } from "./wire.ts";

/** The server ends typing after 6 s, so it is repeated within that time. */
const repeatMs = 3_000;

/** Announces to a channel whether the user is typing. Its calls never reject: an indicator is not worth an error. */
export interface Typing {
  /** Call it at every keystroke; it sends at most one request every 3 s. */
  start(): void;
  /** Call it when the input is empty or loses focus. Posting a message does the same on the server. */
  stop(): void;
}

export function createTyping(calls: Pick<Calls["channel"], "startTyping" | "stopTyping">, channelId: number): Typing {
  let toldAt = Number.NEGATIVE_INFINITY;
  // One after the other, so that a stop never overtakes its start.
  let last: Promise<void> = Promise.resolve();
  const tell = (call: (input: { id: number }) => Promise<void>) => {
    last = last.then(() => call({ id: channelId })).catch(() => {});
  };
  return {
    start() {
      // The monotonic clock, because the wall clock may go back.
      const now = performance.now();
      if (now - toldAt < repeatMs) return;
      toldAt = now;
      tell(calls.startTyping);
    },
    stop() {
      if (toldAt === Number.NEGATIVE_INFINITY) return;
      toldAt = Number.NEGATIVE_INFINITY;
      tell(calls.stopTyping);
    },
  };
}
