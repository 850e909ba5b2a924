/** Owns a value of which only the latest counts, read as an async iteration at the reader's own pace. */

export interface Latest<Value> extends AsyncIterable<Value, void> {
  set(value: Value): void;
  end(): void;
}

/** Ends by itself when `signal` aborts. */
export function latest<Value>(signal?: AbortSignal): Latest<Value> {
  let waiting: { value: Value } | undefined;
  let ended = signal?.aborted ?? false;
  let wake = () => {};
  const end = () => {
    ended = true;
    wake();
  };
  signal?.addEventListener("abort", end, { once: true });
  return {
    set(value) {
      waiting = { value };
      wake();
    },
    end,
    async *[Symbol.asyncIterator]() {
      while (!ended) {
        if (waiting) {
          const { value } = waiting;
          waiting = undefined;
          yield value;
        } else {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        }
      }
    },
  };
}
