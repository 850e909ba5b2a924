/** Owns streams, which can be iterated or subscribed to. They open when they are used, and close when they are left. */
import type { KeenchatError } from "./errors.ts";

/**
 * Items that arrive over time. Iterate it (`for await`; leaving the loop closes it), or pass a listener to `subscribe`.
 * Each use is a separate subscription. It survives lost connections, and ends only if the server refuses it.
 * A slow loop holds at most 1 MiB of waiting items: then the stream closes, and resumes there after the loop has caught up.
 */
export interface Stream<Item> {
  /**
   * Calls back with each item, until the returned function is called.
   * `onEnd` is called when the stream ends, with an error if the server refused it. Without `onEnd` that error is thrown.
   */
  subscribe(onItem: (item: Item) => void, onEnd?: (error?: KeenchatError) => void): () => void;
  // Not `extends AsyncIterable`: before TypeScript 5.6 that has one type parameter, and from then on more.
  [Symbol.asyncIterator](): AsyncIterator<Item, void>;
}

/** `id`: the cursor after the item, if it has one. `length`: its size on the wire, in characters. */
export interface Place {
  readonly id: string | undefined;
  readonly length: number;
}

/** Opens a source of items, after a cursor if one is given; returns a function that closes it. */
export type Open<Item> = (
  onItem: (item: Item, place: Place) => void,
  onEnd: (error?: KeenchatError) => void,
  cursor?: string,
) => () => void;

/** The limit of items that wait for a slow loop, in characters on the wire. */
const maxWaitingLength = 1_048_576;

export function createStream<Item>(open: Open<Item>, signal?: AbortSignal): Stream<Item> {
  const start: Open<Item> = (onItem, onEnd, cursor) => {
    let isOver = false;
    let close = () => {};
    const finish = (): void => {
      isOver = true;
      signal?.removeEventListener("abort", abort);
    };
    const end = (error?: KeenchatError): void => {
      if (isOver) return;
      finish();
      onEnd(error);
    };
    const abort = (): void => {
      close();
      end();
    };
    if (signal?.aborted) {
      end();
      return () => {};
    }
    signal?.addEventListener("abort", abort);
    close = open((item, place) => !isOver && onItem(item, place), end, cursor);
    return () => {
      finish();
      close();
    };
  };
  return {
    subscribe: (onItem, onEnd = throwError) => start((item) => onItem(item), onEnd),
    [Symbol.asyncIterator]: () => iterate(start),
  };
}

function throwError(error?: KeenchatError): void {
  if (error) throw error;
}

function iterate<Item>(start: Open<Item>): AsyncIterator<Item, void> {
  let arrived: { item: Item; length: number }[] = [];
  let arrivedLength = 0;
  const waiting: { resolve(result: IteratorResult<Item, void>): void; reject(error: unknown): void }[] = [];
  let close: (() => void) | undefined;
  let cursor: string | undefined;
  let over: { error?: KeenchatError | undefined } | undefined;

  const end = (error?: KeenchatError): void => {
    over ??= { error };
    for (const { resolve, reject } of waiting.splice(0)) {
      if (over.error) reject(over.error);
      else resolve({ done: true, value: undefined });
      over = {};
    }
  };
  const receive = (item: Item, { id, length }: Place): void => {
    cursor = id ?? cursor;
    const next = waiting.shift();
    if (next) return next.resolve({ done: false, value: item });
    arrived.push({ item, length });
    arrivedLength += length;
    if (arrivedLength <= maxWaitingLength) return;
    if (cursor === undefined) {
      // Without positions each item replaces those before it.
      arrived = arrived.slice(-1);
      arrivedLength = length;
    } else {
      close?.();
      close = undefined;
    }
  };
  const take = (): Item | undefined => {
    const first = arrived.shift();
    arrivedLength -= first?.length ?? 0;
    return first?.item;
  };
  return {
    async next() {
      if (arrived.length > 0) return { done: false, value: take() as Item };
      if (!over) close ??= start(receive, end, cursor);
      if (!over) return new Promise((resolve, reject) => waiting.push({ resolve, reject }));
      const { error } = over;
      over = {};
      if (error) throw error;
      return { done: true, value: undefined };
    },
    async return() {
      arrived = [];
      close?.();
      end();
      return { done: true, value: undefined };
    },
  };
}
