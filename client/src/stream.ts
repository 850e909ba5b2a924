/** Owns streams: what can be iterated or listened to, opened when it is used and closed when it is left. */
import type { KeenchatError } from "./errors.ts";

/**
 * Things that arrive over time. Iterate it (`for await`; leaving the loop closes it), or pass a listener to `subscribe`.
 * Each use is a reading of its own. It outlives lost connections; it ends by itself only where the server refuses it.
 */
export interface Stream<Item> extends AsyncIterable<Item, void> {
  /**
   * Calls back with each item, until the returned function is called.
   * `onEnd` hears that the stream is over: with an error where the server refused it. An error nobody hears is thrown.
   */
  subscribe(onItem: (item: Item) => void, onEnd?: (error?: KeenchatError) => void): () => void;
}

/** Opens something that produces items; returns the way to close it. */
export type Open<Item> = (onItem: (item: Item) => void, onEnd: (error?: KeenchatError) => void) => () => void;

export function createStream<Item>(open: Open<Item>, signal?: AbortSignal): Stream<Item> {
  const subscribe: Stream<Item>["subscribe"] = (onItem, onEnd) => {
    let over = signal?.aborted ?? false;
    const end = (error?: KeenchatError): void => {
      if (over) return;
      over = true;
      signal?.removeEventListener("abort", abort);
      if (onEnd) onEnd(error);
      else if (error) throw error;
    };
    if (over) {
      onEnd?.();
      return () => {};
    }
    const close = open((item) => !over && onItem(item), end);
    const abort = () => {
      close();
      end();
    };
    signal?.addEventListener("abort", abort);
    return () => {
      over = true;
      signal?.removeEventListener("abort", abort);
      close();
    };
  };
  return { subscribe, [Symbol.asyncIterator]: () => iterate(subscribe) };
}

function iterate<Item>(subscribe: Stream<Item>["subscribe"]): AsyncIterator<Item, void> {
  const items: Item[] = [];
  const waiting: { resolve(result: IteratorResult<Item, void>): void; reject(error: unknown): void }[] = [];
  let close: (() => void) | undefined;
  let over: { error?: KeenchatError | undefined } | undefined;

  const end = (error?: KeenchatError): void => {
    over ??= { error };
    for (const { resolve, reject } of waiting.splice(0)) {
      if (over.error) reject(over.error);
      else resolve({ done: true, value: undefined });
      over = {};
    }
  };
  return {
    async next() {
      close ??= subscribe((item) => {
        const next = waiting.shift();
        if (next) next.resolve({ done: false, value: item });
        else items.push(item);
      }, end);
      if (items.length > 0) return { done: false, value: items.shift() as Item };
      if (!over) return new Promise((resolve, reject) => waiting.push({ resolve, reject }));
      const { error } = over;
      over = {};
      if (error) throw error;
      return { done: true, value: undefined };
    },
    async return() {
      items.length = 0;
      close?.();
      close = () => {};
      end();
      return { done: true, value: undefined };
    },
  };
}
