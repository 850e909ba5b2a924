/** Owns the state of the session: signed out, signed in, or a token that the server has not confirmed yet. */
import type { KeenchatClient } from "./client.ts";
import type { KeenchatError } from "./errors.ts";
import { ObservableValue } from "./observable.ts";
import { sharedOf, startTimer, toError } from "./store.ts";
import type { CurrentSession } from "./wire.ts";

export type SessionState =
  | { readonly status: "signed out"; readonly self?: undefined; readonly error?: undefined }
  /** The server has not confirmed the token yet. `error`: why not. The client retries automatically. */
  | { readonly status: "opening"; readonly self?: undefined; readonly error?: KeenchatError }
  | { readonly status: "signed in"; readonly self: CurrentSession; readonly error?: undefined };

const retryMs = 3_000;

export class Session extends ObservableValue<SessionState> {
  readonly #client: KeenchatClient;

  constructor(client: KeenchatClient) {
    super(client.token.current === null ? { status: "signed out" } : { status: "opening" });
    this.#client = client;
    client.token.subscribe((token) => {
      this.set(token === null ? { status: "signed out" } : { status: "opening" });
      void this.#ask(token);
    });
    void this.#ask(client.token.current);
  }

  async #ask(token: string | null): Promise<void> {
    if (token === null || token !== this.#client.token.current) return;
    let state: SessionState;
    try {
      state = { status: "signed in", self: await this.#client.auth.session() };
    } catch (reason) {
      state = { status: "opening", error: toError(reason) };
      startTimer(() => void this.#ask(token), retryMs);
    }
    if (token === this.#client.token.current) this.set(state);
  }
}

export function sessionOf(client: KeenchatClient): Session {
  return sharedOf(client, "session", () => new Session(client));
}
