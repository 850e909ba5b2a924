/** Owns what a procedure can use: plain interfaces, never the ORM or a socket, so that the client's types stay small. */
import type { Caller, Origin } from "./caller.ts";
import type { Clock } from "./clock.ts";
import type { EventReader } from "./events/follow.ts";
import type { Presence, Socket, Stream } from "./presence.ts";
import type { Read, Write, WriteBatch } from "./transaction.ts";

/** Properties of an answer that only HTTP has; a procedure sets them, and other wires ignore them. */
export interface Reply {
  /** A status other than the documented success. */
  status?: number;
  /** Ids to continue from, for `Link`. */
  next?: number;
  prev?: number;
}

/** Rules of this server that a procedure has to know. */
export interface Rules {
  readonly admin: string | undefined;
  readonly signUp: "open" | "closed";
  readonly anonymousRead: boolean;
  readonly tokenTtlMs: number;
}

/** Hashes passwords. This is slow on purpose, so the number at once is limited. */
export interface Passwords {
  /** @throws AppError TOO_MANY_REQUESTS when too many wait. */
  hash(password: string): Promise<string>;
  /** Takes the same time whether there is a hash to compare with or not. */
  verify(password: string, hash: string | undefined): Promise<boolean>;
}

export interface Tokens {
  /** The token that proves a session. */
  sign(session: Pick<Caller, "session_id" | "user_id" | "expires_at">): Promise<string>;
}

/**
 * Runs work with a possibly large result, when the turn of the caller's address comes: a few at a time in all.
 * @throws AppError where too many answers to the address have not been read.
 */
export type InTurn = <Result>(address: string, work: () => Promise<Result>, signal: AbortSignal | undefined) => Promise<Result>;

/** What every procedure gets. */
export interface Context {
  /** Null: the client is anonymous. */
  readonly caller: Caller | null;
  readonly origin: Origin;
  readonly requestId: string;
  readonly reply: Reply;
  /** Whether this request has waited for all that other nodes had committed before it, so that nothing else in it has to. */
  readonly isFresh?: boolean | undefined;
  readonly clock: Clock;
  readonly rules: Rules;
  readonly read: Read;
  readonly write: Write;
  readonly writeBatch: WriteBatch;
  readonly passwords: Passwords;
  readonly tokens: Tokens;
  readonly events: EventReader;
  readonly presence: Presence;
  readonly inTurn: InTurn;
  /** Missing where each call comes on its own, over HTTP. */
  readonly socket?: Socket | undefined;
  readonly stream?: Stream | undefined;
  readonly logger: { error(fields: object, message: string): void };
}
