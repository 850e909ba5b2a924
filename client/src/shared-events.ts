/** Owns the one reading of all events that the stores of a client share. */
import type { KeenchatClient } from "./client.ts";
import type { KeenchatError } from "./errors.ts";
import type { KeenchatEvent } from "./wire.ts";

export interface EventListener {
  onEvent(event: KeenchatEvent): void;
  /** The server refuses to tell anything, as to somebody who has not signed in. */
  onRefusal(error: KeenchatError): void;
}

export class SharedEvents {
  readonly #client: KeenchatClient;
  readonly #listeners = new Set<EventListener>();
  #close: (() => void) | undefined;
  /** What is read from now on and what is heard from now on leave no gap between them. */
  #begun = false;

  constructor(client: KeenchatClient) {
    this.#client = client;
  }

  get begun(): boolean {
    return this.#begun;
  }

  /** The listener hears everything from the next event on; the first it waits for is `ready`, unless the reading has `begun`. */
  add(listener: EventListener): () => void {
    this.#listeners.add(listener);
    this.#close ??= this.#open();
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size > 0) return;
      this.#close?.();
      this.#close = undefined;
      this.#begun = false;
    };
  }

  #open(): () => void {
    let stop = () => {};
    const start = () => {
      stop();
      stop = this.#client.events().subscribe(
        (event) => {
          this.#begun ||= event.event === "ready";
          for (const listener of [...this.#listeners]) listener.onEvent(event);
        },
        (error) => {
          this.#begun = false;
          stop = () => {};
          if (error) for (const listener of [...this.#listeners]) listener.onRefusal(error);
        },
      );
    };
    start();
    // Whoever was refused may be let in under another name.
    const stopWatching = this.#client.token.subscribe((token) => token !== null && !this.#begun && start());
    return () => {
      stopWatching();
      stop();
    };
  }
}
