/** Owns the stream of events that all stores of a client share. */
import type { KeenchatClient } from "./client.ts";
import type { KeenchatError } from "./errors.ts";
import type { KeenchatEvent } from "./wire.ts";

export interface EventListener {
  onEvent(event: KeenchatEvent): void;
  /** The server refuses the stream, for example because no user is signed in. */
  onRefusal?(error: KeenchatError): void;
}

export class SharedEvents {
  readonly #client: KeenchatClient;
  readonly #listeners = new Set<EventListener>();
  #close: (() => void) | undefined;
  /** The position of the stream after its first `ready`. A read after it, and the events after it, leave no gap. */
  #cursor: string | undefined;

  constructor(client: KeenchatClient) {
    this.#client = client;
  }

  /** As with every stream, the listener first gets `ready`; at once if the stream has already begun. */
  add(listener: EventListener): () => void {
    this.#listeners.add(listener);
    this.#close ??= this.#open();
    if (this.#cursor !== undefined) listener.onEvent({ event: "ready", data: { cursor: this.#cursor } });
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size > 0) return;
      this.#close?.();
      this.#close = undefined;
      this.#cursor = undefined;
    };
  }

  #open(): () => void {
    let stop = () => {};
    const start = () => {
      stop();
      stop = this.#client.events().subscribe(
        (event) => {
          if (event.event === "ready" || this.#cursor !== undefined) this.#cursor = event.id ?? this.#cursor;
          for (const listener of [...this.#listeners]) listener.onEvent(event);
        },
        (error) => {
          this.#cursor = undefined;
          stop = () => {};
          if (error) for (const listener of [...this.#listeners]) listener.onRefusal?.(error);
        },
      );
    };
    start();
    // A user who was refused may sign in under another name.
    const stopWatching = this.#client.token.subscribe((token) => token !== null && this.#cursor === undefined && start());
    return () => {
      stopWatching();
      stop();
    };
  }
}
