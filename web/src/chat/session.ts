/** Owns who uses this page: nobody, somebody, or somebody the server has yet to confirm. */
import { createKeenchatClient, type KeenchatClient, KeenchatError, localTokenStorage } from "@keenchat/client";
import { Chat } from "./chat.ts";
import { Store } from "./store.ts";
import { sayError } from "./words.ts";

export type SessionState =
  /** A token is there; whose it is, the server has not said yet. */
  | { readonly phase: "opening"; readonly chat: undefined; readonly problem?: string | undefined }
  | { readonly phase: "signed out"; readonly chat: undefined; readonly problem?: string | undefined }
  | { readonly phase: "signed in"; readonly chat: Chat; readonly problem?: undefined };

const retryMs = 3_000;

export class Session {
  readonly client: KeenchatClient;
  readonly store: Store<{ readonly session: SessionState }>;

  constructor() {
    this.client = createKeenchatClient({ tokenStorage: localTokenStorage() });
    const phase = this.client.token.current === null ? "signed out" : "opening";
    this.store = new Store({ session: { phase, chat: undefined } });
    this.client.token.subscribe((token) => token === null && this.#end());
    if (phase === "opening") void this.#begin();
  }

  async signIn(username: string, password: string): Promise<void> {
    await this.client.auth.login({ username, password });
    await this.#begin();
  }

  async signUp(username: string, password: string): Promise<void> {
    await this.client.user.post({ username, password });
    await this.signIn(username, password);
  }

  async signOut(): Promise<void> {
    try {
      await this.client.auth.logout();
    } catch (error) {
      // Then the session is over already.
      if (!(error instanceof KeenchatError && error.code === "UNAUTHORIZED")) throw error;
    }
    this.#set({ phase: "signed out", chat: undefined });
  }

  async #begin(): Promise<void> {
    try {
      const self = await this.client.auth.session();
      this.#set({ phase: "signed in", chat: new Chat(this.client, self) });
    } catch (error) {
      // Without a token there is nothing to try again with: #end has said so.
      if (this.client.token.current === null) return;
      this.#set({ phase: "opening", chat: undefined, problem: sayError(error) });
      setTimeout(() => void this.#begin(), retryMs);
    }
  }

  /** The server no longer takes the token, or it was given back. */
  #end(): void {
    const { chat } = this.store.get().session;
    chat?.close();
    this.#set({ phase: "signed out", chat: undefined, problem: "You are signed out. Sign in to go on; what you wrote is kept." });
  }

  #set(session: SessionState): void {
    this.store.set({ session });
  }
}
