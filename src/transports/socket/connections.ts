/** Owns the long-lived connections of this process, sockets and streams alike: each with its place among all, its session and its end. */
import type { Caller, Origin } from "../../core/caller.ts";
import type { Clock } from "../../core/clock.ts";
import { tooManyConnections } from "../../core/errors.ts";
import { heartbeatMs } from "../../core/limits.ts";
import type { Addresses } from "./addresses.ts";

/** Why the server ends a connection: WebSocket close codes, part of the contract. */
export const closeCodes = { goingAway: 1001, abuse: 1008, tokenInvalid: 4001, tooSlow: 4008 } as const;
export type CloseCode = (typeof closeCodes)[keyof typeof closeCodes];

/** One connection: a WebSocket, a client of Socket.IO, or an HTTP answer that stays open. */
export abstract class Connection {
  readonly origin: Origin;
  readonly requestId: string;
  readonly #connections: Connections;
  #caller: Caller | null;

  constructor(connections: Connections, { origin, requestId, caller = null }: ConnectionRequest) {
    this.#connections = connections;
    this.origin = origin;
    this.requestId = requestId;
    this.#caller = caller;
  }

  get caller(): Caller | null {
    return this.#caller;
  }

  /** Sets the user to whom the connection belongs from now on. */
  identify(caller: Caller | null): void {
    this.#caller = caller;
    this.#connections.checkSession(this);
  }

  /** Ends the connection; its place is free once it is closed. */
  abstract end(code: CloseCode, reason: string): void;

  /** Called once each heartbeat. */
  beat(): void {}

  /** The connection is over: frees its place. */
  protected leave(): void {
    this.#connections.remove(this);
  }
}

/** The request that a connection began with. */
export interface ConnectionRequest {
  readonly origin: Origin;
  readonly requestId: string;
  readonly caller?: Caller | null;
}

const sweepMs = 1_000;

/** Sessions that end before their time. */
interface Sessions {
  onEnd(listener: (sessionId: number) => void): void;
  /** Whether a session ended lately: while its connection was being opened, for example. */
  hasEnded(sessionId: number): boolean;
}

export class Connections {
  readonly #open = new Set<Connection>();
  readonly #addresses: Addresses;
  readonly #sessions: Sessions;
  readonly #stop: (() => void)[];

  constructor(clock: Clock, addresses: Addresses, sessions: Sessions) {
    this.#addresses = addresses;
    this.#sessions = sessions;
    // In the next turn: a client that signs out over the socket that this ends gets its answer first.
    sessions.onEnd((sessionId) => setImmediate(() => this.#endSession(sessionId)));
    this.#stop = [clock.every(sweepMs, () => this.#endExpired(clock.now())), clock.every(heartbeatMs, () => this.#beat())];
  }

  get size(): number {
    return this.#open.size;
  }

  /** Whether an address may open one more. */
  hasRoom(address: string): boolean {
    return this.#addresses.hasRoom(address);
  }

  /**
   * Gives a connection its place, until it leaves.
   * @throws AppError TOO_MANY_REQUESTS where its address has too many already.
   */
  open(connection: Connection): void {
    if (!this.#addresses.take(connection.origin.address)) throw tooManyConnections();
    this.#open.add(connection);
    this.checkSession(connection);
  }

  /** Ends a connection whose session ended between the look at its token and now. */
  checkSession(connection: Connection): void {
    if (connection.caller && this.#sessions.hasEnded(connection.caller.session_id))
      connection.end(closeCodes.tokenInvalid, "token no longer valid");
  }

  remove(connection: Connection): void {
    if (this.#open.delete(connection)) this.#addresses.release(connection.origin.address);
  }

  /** Ends the connections of a session that is over. */
  #endSession(sessionId: number): void {
    for (const connection of this.#open)
      if (connection.caller?.session_id === sessionId) connection.end(closeCodes.tokenInvalid, "token no longer valid");
  }

  endAll(): void {
    for (const connection of this.#open) connection.end(closeCodes.goingAway, "going away");
  }

  /** Ends the look at the time. */
  stop(): void {
    for (const stop of this.#stop) stop();
  }

  #endExpired(now: number): void {
    for (const connection of this.#open)
      if (connection.caller && connection.caller.expires_at <= now) connection.end(closeCodes.tokenInvalid, "token expired");
  }

  #beat(): void {
    for (const connection of this.#open) connection.beat();
  }
}
