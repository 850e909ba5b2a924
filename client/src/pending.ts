/** Owns what a message is before the server has it, and where it outlives the page. */
import type { KeenchatError } from "./errors.ts";

/** A message that the server has not confirmed yet. */
export interface PendingMessage {
  readonly client_message_id: string;
  readonly channel_id: number;
  readonly message_text: string;
  /** When it was written, in milliseconds since the Unix epoch by this machine's clock. */
  readonly time: number;
  /** Why it is not there yet; missing while nothing went wrong. A `transient` one is tried again by itself. */
  readonly error?: KeenchatError | undefined;
}

/** Keeps each user's messages apart. All functions may be asynchronous. */
export interface PendingStorage {
  /** All that is kept for a user. */
  list(userId: number): readonly PendingMessage[] | Promise<readonly PendingMessage[]>;
  set(userId: number, message: PendingMessage): unknown;
  remove(userId: number, clientMessageId: string): unknown;
}

/** Keeps them in the browser's `localStorage`; where there is none, or no room in it, they last as long as the page. */
export function localPendingStorage(prefix = "keenchat.pending"): PendingStorage {
  const attempt = <Result>(use: (storage: Storage) => Result): Result | undefined => {
    try {
      return use(globalThis.localStorage);
    } catch {
      return undefined;
    }
  };
  // Each under a key of its own, so that two pages of one user do not write over each other.
  const keyOf = (userId: number, clientMessageId: string) => `${prefix}.${userId}.${clientMessageId}`;
  return {
    list: (userId) =>
      attempt((storage) =>
        Object.keys(storage)
          .filter((key) => key.startsWith(keyOf(userId, "")))
          // One that cannot be read is no reason to forget the others.
          .flatMap((key) => attempt(() => [JSON.parse(storage.getItem(key) ?? "") as PendingMessage]) ?? []),
      ) ?? [],
    set: (userId, message) => attempt((storage) => storage.setItem(keyOf(userId, message.client_message_id), JSON.stringify(message))),
    remove: (userId, clientMessageId) => attempt((storage) => storage.removeItem(keyOf(userId, clientMessageId))),
  };
}
