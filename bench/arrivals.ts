/** Owns when each reader got each message: kept only where it is asked for, since looking at the clock costs too. */
import { monotonicMs } from "./machine.ts";
import { quantile } from "./quantiles.ts";
import { framesOf } from "./raw-socket.ts";

/** Each message's text begins with its number. */
export function numberOf(frame: string): number {
  return Number(/"message_text":"(\d+)/.exec(frame)?.[1]);
}

/** How far a reader has got in the bytes that all get, and how many messages of them have been noted. */
interface Progress {
  readonly at: number;
  seen: number;
}

export class Arrivals {
  /** In the order of the bytes: where a message's frame ends, its number, and when it came to whom it came. */
  readonly #messages: { readonly end: number; readonly number: number; readonly atMs: number[] }[] = [];
  #length = 0;

  /** A reader has got as far as it says in `bytes`, which hold everything from the beginning. */
  note(reader: Progress, bytes: Buffer): void {
    const now = monotonicMs();
    for (const { text, end } of framesOf(bytes.subarray(this.#length)))
      this.#messages.push({ end: this.#length + end, number: numberOf(text), atMs: [] });
    this.#length = bytes.length;
    for (; (this.#messages[reader.seen]?.end ?? Number.POSITIVE_INFINITY) <= reader.at; reader.seen += 1)
      this.#messages[reader.seen]?.atMs.push(now);
  }

  /** How long that took, given when each number was sent. */
  since(sentAt: readonly number[]): { p50: number; p99: number; most: number } {
    const latencies = this.#messages.flatMap(({ number, atMs }) => atMs.map((at) => at - (sentAt[number] ?? 0)));
    return { p50: quantile(latencies, 0.5), p99: quantile(latencies, 0.99), most: quantile(latencies, 1) };
  }
}
