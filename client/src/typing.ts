/** Owns telling others that the user types: seldom enough for the server, often enough for the others. */
import type { Calls } from "./wire.ts";

/** The server takes it back after 6 s of silence; said again within that, it stays. */
const repeatMs = 3_000;

/** Tells a channel whether the user is typing. Nothing it does can fail: an indicator is not worth an error. */
export interface Typing {
  /** Call it at every keystroke; it speaks to the server every 3 s at most. */
  start(): void;
  /** Call it when the input was emptied or left. Posting a message does the same on the server. */
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
      // Of a clock that nobody sets: the wall clock may go back.
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
