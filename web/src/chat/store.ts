/** Owns how state is held: one immutable value, replaced by whoever acts, read by whoever shows it. */
import { useSyncExternalStore } from "react";

export class Store<State> {
  #state: State;
  readonly #listeners = new Set<() => void>();

  constructor(state: State) {
    this.#state = state;
  }

  get(): State {
    return this.#state;
  }

  /** Replaces the named fields. */
  set(changes: Partial<State>): void {
    this.#state = { ...this.#state, ...changes };
    for (const listener of [...this.#listeners]) listener();
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  };
}

/** Shows again when what `select` picks is another value; it must pick, not make. */
export function useStore<State, Picked>(store: Store<State>, select: (state: State) => Picked): Picked {
  return useSyncExternalStore(store.subscribe, () => select(store.get()));
}

/** A copy of a map with one entry changed; `undefined` takes it out. */
export function withEntry<Key, Value>(map: ReadonlyMap<Key, Value>, key: Key, value: Value | undefined): ReadonlyMap<Key, Value> {
  const copy = new Map(map);
  if (value === undefined) copy.delete(key);
  else copy.set(key, value);
  return copy;
}
