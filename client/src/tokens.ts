/** Owns the token of the signed-in user: its storage, and the notification of changes. */
import { type Observable, ObservableValue } from "./observable.ts";

/** Storage of the token across pages or processes. Both functions may be asynchronous. */
export interface TokenStorage {
  get(): string | null | undefined | Promise<string | null | undefined>;
  /** `null`: signed out. */
  set(token: string | null): unknown;
}

/** Keeps the token in the browser's `localStorage`; without one (a private window that forbids it), in memory only. */
export function localTokenStorage(key = "keenchat.token"): TokenStorage {
  const storage = (): Pick<Storage, "getItem" | "setItem" | "removeItem"> | undefined => {
    try {
      return globalThis.localStorage;
    } catch {
      return undefined;
    }
  };
  return {
    get: () => storage()?.getItem(key),
    set(token) {
      if (token === null) storage()?.removeItem(key);
      else storage()?.setItem(key, token);
    },
  };
}

export class Tokens {
  readonly #value = new ObservableValue<string | null>(null);
  readonly #storage: TokenStorage | undefined;
  /** Settles when the stored token is known. */
  readonly loaded: Promise<void> | undefined;

  constructor(token: string | undefined, storage: TokenStorage | undefined) {
    this.#storage = storage;
    if (token !== undefined) this.#value.set(token);
    if (token !== undefined || !storage) return;
    const stored = this.#read();
    if (stored instanceof Promise) this.loaded = stored.then((found) => this.#restore(found));
    else this.#restore(stored);
  }

  get observable(): Observable<string | null> {
    return this.#value;
  }

  get current(): string | null {
    return this.#value.current;
  }

  set(token: string | null): void {
    if (token === this.#value.current) return;
    this.#write(token);
    this.#value.set(token);
  }

  /** The stored token counts only until a user signs in. */
  #restore(found: string | null | undefined): void {
    if (found && this.current === null) this.#value.set(found);
  }

  /** Forgets a token that the server refused, unless another has replaced it. */
  refuse(token: string | null): void {
    if (token === null || token !== this.current) return;
    this.#value.set(null);
    // This page or another one may have signed in meanwhile, and stored a new token in the same place.
    const forget = (stored: string | null | undefined) => {
      if (stored === token && this.current === null) this.#write(null);
    };
    const stored = this.#read();
    if (stored instanceof Promise) void stored.then(forget);
    else forget(stored);
  }

  /** A storage that fails is treated as empty. */
  #read(): string | null | undefined | Promise<string | null | undefined> {
    try {
      const stored = this.#storage?.get();
      return typeof stored === "object" && stored !== null ? Promise.resolve(stored).catch(() => null) : stored;
    } catch {
      return null;
    }
  }

  /** If the storage fails, the token lasts as long as the page. */
  #write(token: string | null): void {
    try {
      Promise.resolve(this.#storage?.set(token)).catch(() => {});
    } catch {}
  }
}
