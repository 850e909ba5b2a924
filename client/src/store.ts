/** Owns stores: state that exists while a component uses it, and a little longer. */
import type { KeenchatClient } from "./client.ts";
import { KeenchatError, unreachable } from "./errors.ts";
import { SharedEvents } from "./shared-events.ts";
import type { KeenchatEvent } from "./wire.ts";

/** The state of a store's read. `gone`: the item does not exist, or no longer exists. */
export type Status = "loading" | "loaded" | "failed" | "gone";

export interface StoreState {
  readonly status: Status;
  /** Why the read failed. A transient failure is retried automatically. */
  readonly error: KeenchatError | undefined;
}

/** A component that is shown again within this time finds everything as it was. */
const lingerMs = 30_000;
const retryMs = 5_000;

const sharedByClient = new WeakMap<KeenchatClient, Map<string, unknown>>();

/** The object of this name that all hooks of a client share. */
export function sharedOf<Thing>(client: KeenchatClient, name: string, create: () => Thing): Thing {
  let things = sharedByClient.get(client);
  if (!things) {
    things = new Map();
    sharedByClient.set(client, things);
  }
  if (!things.has(name)) things.set(name, create());
  return things.get(name) as Thing;
}

/** The shared stream of all events. */
export function eventsOf(client: KeenchatClient): SharedEvents {
  return sharedOf(client, "events", () => new SharedEvents(client));
}

/** Milliseconds until a failed read is retried. */
export function delayAfter(error: KeenchatError): number {
  return Math.max(error.retryAfterMs ?? 0, retryMs);
}

/** A timer that does not keep a Node process alive. */
export function startTimer(callback: () => void, delayMs: number): ReturnType<typeof setTimeout> {
  const timer = setTimeout(callback, delayMs);
  (timer as { unref?: () => void }).unref?.();
  return timer;
}

export function toError(reason: unknown): KeenchatError {
  return reason instanceof KeenchatError ? reason : unreachable(reason);
}

export abstract class Store<State extends StoreState> {
  protected readonly client: KeenchatClient;
  readonly #key: string;
  #state: State;
  readonly #watchers = new Set<() => void>();
  #stop: (() => void) | undefined;
  #linger: ReturnType<typeof setTimeout> | undefined;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #reading = 0;

  constructor(client: KeenchatClient, key: string, state: State) {
    this.client = client;
    this.#key = key;
    this.#state = state;
  }

  /** Reads the data that events then keep up to date. */
  protected abstract read(): Promise<Partial<State>>;
  protected abstract apply(event: KeenchatEvent): void;
  /** The data may be out of date: forgets it, and ignores reads that are under way. */
  protected abstract forget(): void;

  readonly getSnapshot = (): State => this.#state;

  readonly subscribe = (watcher: () => void): (() => void) => {
    const own = () => watcher();
    this.#watchers.add(own);
    clearTimeout(this.#linger);
    this.#stop ??= this.#start();
    return () => {
      this.#watchers.delete(own);
      if (this.#watchers.size === 0) this.#linger = startTimer(() => this.#end(), lingerMs);
    };
  };

  /** Retries a failed read. */
  readonly reload = (): void => void this.#load();

  protected get state(): State {
    return this.#state;
  }

  protected set(change: Partial<State>): void {
    this.#state = { ...this.#state, ...change };
    for (const watcher of [...this.#watchers]) watcher();
  }

  #start(): () => void {
    sharedByClient.get(this.client)?.set(this.#key, this);
    return eventsOf(this.client).add({
      onEvent: (event) => this.#hear(event),
      onRefusal: (error) => this.set({ status: "failed", error } as Partial<State>),
    });
  }

  #end(): void {
    this.#stop?.();
    this.#stop = undefined;
    clearTimeout(this.#retry);
    this.#reading += 1;
    sharedByClient.get(this.client)?.delete(this.#key);
    this.forget();
    this.#state = { ...this.#state, status: "loading", error: undefined };
  }

  #hear(event: KeenchatEvent): void {
    if (event.event === "resync" && !this.#isGone()) {
      this.forget();
      this.set({ status: "loading" } as Partial<State>);
    }
    if (event.event === "resync" || (event.event === "ready" && this.#state.status !== "loaded")) this.reload();
    this.apply(event);
  }

  async #load(): Promise<void> {
    if (this.#isGone()) return;
    clearTimeout(this.#retry);
    this.#reading += 1;
    const reading = this.#reading;
    let change: Partial<State>;
    try {
      change = { status: "loaded", error: undefined, ...(await this.read()) };
    } catch (reason) {
      const error = toError(reason);
      change = { status: error.code === "NOT_FOUND" ? "gone" : "failed", error } as Partial<State>;
    }
    // Another reading has begun meanwhile, or a deletion has arrived.
    if (reading !== this.#reading || this.#isGone()) return;
    if (change.error?.transient) this.#retry = startTimer(this.reload, delayAfter(change.error));
    this.set(change);
  }

  #isGone(): boolean {
    return this.#state.status === "gone";
  }
}
