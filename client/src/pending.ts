/** Owns pending messages as data, and their storage. */
import type { KeenchatError } from "./errors.ts";

/** A message that the server has not confirmed yet. */
export interface PendingMessage {
  readonly client_message_id: string;
  readonly channel_id: number;
  readonly message_text: string;
  /** When it was written, in milliseconds since the Unix epoch by this machine's clock. */
  readonly time: number;
  /** Why it was not posted; missing without a failure. A `transient` failure is retried automatically. */
  readonly error?: KeenchatError | undefined;
}

/** Stores the messages of each user separately. All functions may be asynchronous. */
export interface PendingStorage {
  /** All stored messages of a user. */
  list(userId: number): readonly PendingMessage[] | Promise<readonly PendingMessage[]>;
  set(userId: number, message: PendingMessage): unknown;
  remove(userId: number, clientMessageId: string): unknown;
}

/** Keeps them in the browser's `localStorage`. Without it, or if it is full, they last as long as the page. */
export function localPendingStorage(prefix = "keenchat.pending"): PendingStorage {
  const attempt = <Result>(use: (storage: Storage) => Result): Result | undefined => {
    try {
      return use(globalThis.localStorage);
    } catch {
      return undefined;
    }
  };
  // One key for each message, so that two pages of one user do not overwrite each other.
  const keyOf = (userId: number, clientMessageId: string) => `${prefix}.${userId}.${clientMessageId}`;
  return {
    list: (userId) =>
      attempt((storage) =>
        Object.keys(storage)
          .filter((key) => key.startsWith(keyOf(userId, "")))
          // An unreadable message does not affect the others.
          .flatMap((key) => attempt(() => [JSON.parse(storage.getItem(key) ?? "") as PendingMessage]) ?? []),
      ) ?? [],
    set: (userId, message) => attempt((storage) => storage.setItem(keyOf(userId, message.client_message_id), JSON.stringify(message))),
    remove: (userId, clientMessageId) => attempt((storage) => storage.removeItem(keyOf(userId, clientMessageId))),
  };
}
