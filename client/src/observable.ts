/** Owns values that change and can be watched; made to fit React's `useSyncExternalStore`. */

/** A current value, and a way to observe its changes. */
export interface Observable<Value> {
  readonly current: Value;
  /** Calls back with each new value, not with the current one. Returns a function that stops it. */
  subscribe(listener: (value: Value) => void): () => void;
}

export class ObservableValue<Value> implements Observable<Value> {
  #current: Value;
  readonly #listeners = new Set<(value: Value) => void>();

  constructor(value: Value) {
    this.#current = value;
  }

  get current(): Value {
    return this.#current;
  }

  set(value: Value): void {
    if (Object.is(value, this.#current)) return;
    this.#current = value;
    for (const listener of [...this.#listeners]) listener(value);
  }

  // A field, so that it can be passed as a function.
  readonly subscribe = (listener: (value: Value) => void): (() => void) => {
    const own = (value: Value) => listener(value);
    this.#listeners.add(own);
    return () => void this.#listeners.delete(own);
  };
}
