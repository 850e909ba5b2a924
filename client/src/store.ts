/** Owns what a store is: state that lives while somebody looks at it, and a little longer. */
import type { KeenchatClient } from "./client.ts";
import { KeenchatError, unreachable } from "./errors.ts";
import { SharedEvents } from "./shared-events.ts";
import type { KeenchatEvent } from "./wire.ts";

/** How far a store has come with reading. `gone`: there is no such thing, or not any more. */
export type Status = "loading" | "loaded" | "failed" | "gone";

export interface StoreState {
  readonly status: Status;
  /** Why it failed. */
  readonly error: KeenchatError | undefined;
}

/** Whoever comes back within this finds everything as it was. */
const lingerMs = 30_000;

interface Shared {
  readonly events: SharedEvents;
  readonly stores: Map<string, Store<StoreState>>;
}
const sharedByClient = new WeakMap<KeenchatClient, Shared>();

function sharedOf(client: KeenchatClient): Shared {
  let shared = sharedByClient.get(client);
  if (!shared) {
    shared = { events: new SharedEvents(client), stores: new Map() };
    sharedByClient.set(client, shared);
  }
  return shared;
}

/** The one reading of all events. */
export function eventsOf(client: KeenchatClient): SharedEvents {
  return sharedOf(client).events;
}

/** The one store of this key. */
export function storeOf<Kept extends Store<StoreState>>(client: KeenchatClient, key: string, create: () => Kept): Kept {
  const { stores } = sharedOf(client);
  let store = stores.get(key) as Kept | undefined;
  if (!store) {
    store = create();
    stores.set(key, store);
  }
  return store;
}

export abstract class Store<State extends StoreState> {
  protected readonly client: KeenchatClient;
  readonly #key: string;
  #state: State;
  readonly #watchers = new Set<() => void>();
  #stop: (() => void) | undefined;
  #linger: ReturnType<typeof setTimeout> | undefined;
  #reading = 0;

  constructor(client: KeenchatClient, key: string, state: State) {
    this.client = client;
    this.#key = key;
    this.#state = state;
  }

  /** Reads from the server what events will keep up to date. */
  protected abstract read(): Promise<Partial<State>>;
  protected abstract apply(event: KeenchatEvent): void;
  /** What was read may be out of date: forgets it. */
  protected abstract forget(): void;

  readonly getSnapshot = (): State => this.#state;

  readonly subscribe = (watcher: () => void): (() => void) => {
    const own = () => watcher();
    this.#watchers.add(own);
    clearTimeout(this.#linger);
    this.#stop ??= this.#start();
    return () => {
      this.#watchers.delete(own);
      if (this.#watchers.size > 0) return;
      this.#rest();
    };
  };

  /** Reads again what could not be read. */
  readonly reload = (): void => void this.#load();

  /** Whether it has work to do though nobody looks. */
  protected get busy(): boolean {
    return false;
  }

  protected get state(): State {
    return this.#state;
  }

  protected set(change: Partial<State>): void {
    this.#state = { ...this.#state, ...change };
    for (const watcher of [...this.#watchers]) watcher();
  }

  #start(): () => void {
    const { events, stores } = sharedOf(this.client);
    stores.set(this.#key, this as unknown as Store<StoreState>);
    const stop = events.add({
      onEvent: (event) => this.#hear(event),
      onRefusal: (error) => this.set({ status: "failed", error } as Partial<State>),
    });
    if (events.begun) this.reload();
    return stop;
  }

  #rest(): void {
    this.#linger = setTimeout(() => (this.busy ? this.#rest() : this.#end()), lingerMs);
    // Node's timers hold up its end unless told not to.
    (this.#linger as { unref?: () => void }).unref?.();
  }

  #end(): void {
    this.#stop?.();
    this.#stop = undefined;
    this.#reading += 1;
    sharedOf(this.client).stores.delete(this.#key);
    this.forget();
    this.#state = { ...this.#state, status: "loading", error: undefined };
  }

  #hear(event: KeenchatEvent): void {
    if (event.event === "resync") this.forget();
    if (event.event === "resync" || (event.event === "ready" && this.#state.status !== "loaded")) this.reload();
    this.apply(event);
  }

  async #load(): Promise<void> {
    if (this.#isGone()) return;
    this.#reading += 1;
    const reading = this.#reading;
    let change: Partial<State>;
    try {
      change = { status: "loaded", error: undefined, ...(await this.read()) };
    } catch (reason) {
      const error = toError(reason);
      change = { status: error.code === "NOT_FOUND" ? "gone" : "failed", error } as Partial<State>;
    }
    // Another reading has begun meanwhile, or a deletion was heard of.
    if (reading === this.#reading && !this.#isGone()) this.set(change);
  }

  #isGone(): boolean {
    return this.#state.status === "gone";
  }
}

export function toError(reason: unknown): KeenchatError {
  return reason instanceof KeenchatError ? reason : unreachable(reason);
}
