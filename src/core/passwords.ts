/** Owns passwords: argon2id with OWASP's parameters (19 MiB, two passes), two at once so that hashing never takes all cores. */
import { argon2, randomBytes, timingSafeEqual } from "node:crypto";
import { promisify } from "node:util";
import type { Passwords } from "./context.ts";
import { AppError } from "./errors.ts";
import { maxHashing, maxWaitingForHashing } from "./limits.ts";

const argon2Async = promisify(argon2);

const memoryKib = 19_456;
const passes = 2;
const parallelism = 1;
const tagBytes = 32;
const saltBytes = 16;

const retryAfterSeconds = 2;

const form = /^\$argon2id\$v=19\$m=(\d+),t=(\d+),p=(\d+)\$([A-Za-z0-9_-]+)\$([A-Za-z0-9_-]+)$/;

async function derive(password: string, salt: Buffer, memory: number, time: number, lanes: number): Promise<Buffer> {
  return argon2Async("argon2id", {
    message: Buffer.from(password, "utf8"),
    nonce: salt,
    memory,
    passes: time,
    parallelism: lanes,
    tagLength: tagBytes,
  });
}

function toText(salt: Buffer, tag: Buffer): string {
  return `$argon2id$v=19$m=${memoryKib},t=${passes},p=${parallelism}$${salt.toString("base64url")}$${tag.toString("base64url")}`;
}

export class Argon2Passwords implements Passwords {
  #running = 0;
  readonly #waiting: (() => void)[] = [];
  /** Compared with where no user has the name, so that the answer takes as long as a wrong password. */
  readonly #nobody = toText(randomBytes(saltBytes), randomBytes(tagBytes));

  async hash(password: string): Promise<string> {
    const salt = randomBytes(saltBytes);
    return toText(salt, await this.#inTurn(() => derive(password, salt, memoryKib, passes, parallelism)));
  }

  async verify(password: string, hash: string | undefined): Promise<boolean> {
    const match = form.exec(hash ?? this.#nobody);
    if (!match) throw new Error("A stored password hash has an unknown form.");
    const [, memory, time, lanes, salt = "", expected = ""] = match;
    const tag = await this.#inTurn(() => derive(password, Buffer.from(salt, "base64url"), Number(memory), Number(time), Number(lanes)));
    return timingSafeEqual(tag, Buffer.from(expected, "base64url")) && hash !== undefined;
  }

  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (this.#running >= maxHashing) {
      if (this.#waiting.length >= maxWaitingForHashing)
        throw new AppError("TOO_MANY_REQUESTS", "Too many sign-ins at once.", { retryAfterSeconds });
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    } else {
      this.#running += 1;
    }
    try {
      return await work();
    } finally {
      // The place goes directly to the next waiting call, so that no new call overtakes it.
      const next = this.#waiting.shift();
      if (next) next();
      else this.#running -= 1;
    }
  }
}
