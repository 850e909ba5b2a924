/** Owns the look-up of users: requests of the same moment are read in one page, not one by one. */
import type { KeenchatClient } from "./client.ts";
import { KeenchatError } from "./errors.ts";
import { mayGoOn } from "./pages.ts";
import { sharedOf } from "./store.ts";
import type { User } from "./wire.ts";

interface Ask {
  readonly id: number;
  resolve(user: User): void;
  reject(error: unknown): void;
}

const pageLength = 200;

export class UserReader {
  readonly #client: KeenchatClient;
  #asks: Ask[] = [];

  constructor(client: KeenchatClient) {
    this.#client = client;
  }

  /** @throws {KeenchatError} `NOT_FOUND`, `UNREACHABLE` */
  read(id: number): Promise<User> {
    return new Promise((resolve, reject) => {
      if (this.#asks.length === 0) queueMicrotask(() => void this.#answer());
      this.#asks.push({ id, resolve, reject });
    });
  }

  async #answer(): Promise<void> {
    let asks = this.#asks.sort((one, other) => one.id - other.id);
    this.#asks = [];
    while (asks[0]) {
      const after = asks[0].id - 1;
      const limit = Math.min((asks.at(-1)?.id ?? 0) - after, pageLength);
      try {
        const page = await this.#client.user.list({ after, limit });
        const end = (mayGoOn(page, limit) && page.at(-1)?.id) || Number.POSITIVE_INFINITY;
        for (const ask of asks) {
          const user = page.find(({ id }) => id === ask.id);
          if (user) ask.resolve(user);
          else if (ask.id <= end) ask.reject(new KeenchatError("There is no such user.", { code: "NOT_FOUND", status: 404 }));
        }
        asks = asks.filter(({ id }) => id > end);
      } catch (error) {
        for (const ask of asks) ask.reject(error);
        return;
      }
    }
  }
}

export function userReaderOf(client: KeenchatClient): UserReader {
  return sharedOf(client, "users", () => new UserReader(client));
}
