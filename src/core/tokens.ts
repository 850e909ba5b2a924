/** Owns tokens: JWTs bound to a session that can be ended. A verified token is remembered, an ended session forgotten at once. */
import { type JWTPayload, jwtVerify, SignJWT } from "jose";
import type { Caller } from "./caller.ts";
import type { Clock } from "./clock.ts";
import type { Tokens } from "./context.ts";
import { invalidToken } from "./errors.ts";
import { endSession, readInternal } from "./events/internal.ts";
import type { EventLog } from "./events/log.ts";
import { maxTokenCharacters } from "./limits.ts";
import { RecentIds } from "./recent-ids.ts";

const algorithm = "HS256";
const maxRemembered = 10_000;

/** The holder of a session, or undefined where it has ended. */
export type FindSession = (sessionId: number) => Promise<Caller | undefined>;

type Session = Pick<Caller, "session_id" | "user_id" | "expires_at">;

/** The claims of a session's token: whole seconds, as other readers of tokens expect. The exact end is the session's. */
function claimsOf({ session_id, user_id, expires_at }: Session) {
  return { sid: session_id, sub: String(user_id), exp: Math.ceil(expires_at / 1_000) };
}

export class SessionTokens implements Tokens {
  readonly #key: Uint8Array;
  readonly #clock: Clock;
  readonly #findSession: FindSession;
  readonly #log: EventLog;
  readonly #remembered = new Map<string, Caller>();
  readonly #tokenOf = new Map<number, string>();
  /** Sessions that ended while somebody may still be looking them up. */
  readonly #ended = new RecentIds(maxRemembered);
  readonly #listeners = new Set<(sessionId: number) => void>();

  /** Sessions end by an event of the log, on this node or on another one. */
  constructor(secret: string, clock: Clock, findSession: FindSession, log: EventLog) {
    this.#key = new TextEncoder().encode(secret);
    this.#clock = clock;
    this.#findSession = findSession;
    this.#log = log;
    log.subscribe((events) => {
      for (const event of events) {
        const ended = readInternal(endSession, event);
        if (ended) this.#end(ended.session_id);
      }
    });
  }

  sign(session: Session): Promise<string> {
    return new SignJWT(claimsOf(session)).setProtectedHeader({ alg: algorithm, typ: "JWT" }).sign(this.#key);
  }

  /**
   * `fresh: false` spares the look at what other nodes committed a moment ago: for changes, as the writer asks for the session again.
   * @throws AppError UNAUTHORIZED for anything but a good token of a session that lasts.
   */
  async verify(token: string, { fresh = true } = {}): Promise<Caller> {
    if (fresh && this.#remembered.has(token)) await this.#log.fresh();
    const caller = this.#remembered.get(token) ?? (await this.#look(token));
    if (caller.expires_at <= this.#clock.now()) throw invalidToken();
    return caller;
  }

  /** Ends a session here and now: its token is refused from the next request on, and `onEnd` is told. */
  #end(sessionId: number): void {
    this.#forgetSession(sessionId);
    this.#ended.add(sessionId);
    for (const listener of this.#listeners) listener(sessionId);
  }

  /** For another history of the table: nothing that is remembered can be relied on, and the ids of ended sessions may be used again. */
  forget(): void {
    this.#remembered.clear();
    this.#tokenOf.clear();
    this.#ended.clear();
  }

  /** Whether a session ended recently, before its expiry. */
  hasEnded(sessionId: number): boolean {
    return this.#ended.has(sessionId);
  }

  /** Calls back with each session that ends before its time. */
  onEnd(listener: (sessionId: number) => void): void {
    this.#listeners.add(listener);
  }

  #forgetSession(sessionId: number): void {
    const token = this.#tokenOf.get(sessionId);
    if (token !== undefined) this.#remembered.delete(token);
    this.#tokenOf.delete(sessionId);
  }

  async #look(token: string): Promise<Caller> {
    const claims = await this.#claims(token);
    const { sid: sessionId } = claims;
    const caller = await this.#findSession(sessionId);
    if (!caller || this.#ended.has(sessionId)) throw invalidToken();
    // After a restored backup, a session's id may belong to another user.
    const { sub, exp } = claimsOf(caller);
    if (claims.sub !== sub || claims.exp !== exp) throw invalidToken();
    // Base64 spells one signature in several ways: only one is remembered, so that none outlives the session.
    this.#forgetSession(sessionId);
    this.#remembered.set(token, caller);
    this.#tokenOf.set(sessionId, token);
    trim(this.#remembered, maxRemembered);
    trim(this.#tokenOf, maxRemembered);
    return caller;
  }

  async #claims(token: string): Promise<JWTPayload & { sid: number }> {
    if (token.length > maxTokenCharacters) throw invalidToken();
    try {
      const { payload } = await jwtVerify<{ sid: number }>(token, this.#key, {
        algorithms: [algorithm],
        currentDate: new Date(this.#clock.now()),
      });
      // Another program may sign tokens with the same secret.
      if (!Number.isSafeInteger(payload.sid)) throw new TypeError("The token names no session.");
      return payload;
    } catch (cause) {
      throw invalidToken(cause);
    }
  }
}

/** Forgets what came first. */
function trim(entries: Map<unknown, unknown>, max: number): void {
  for (const key of entries.keys()) {
    if (entries.size <= max) return;
    entries.delete(key);
  }
}
