/** Owns the long-lived connections of this process, sockets and streams alike: each with its place, and the session it lives on. */

import type { Caller } from "../../core/caller.ts";
import type { Clock } from "../../core/clock.ts";
import type { Addresses } from "./addresses.ts";

/** Why the server ends a connection: WebSocket close codes, part of the contract. */
export const closeCodes = { goingAway: 1001, abuse: 1008, tokenInvalid: 4001, tooSlow: 4008 } as const;
export type CloseCode = (typeof closeCodes)[keyof typeof closeCodes];

export interface ConnectionOptions {
  readonly address: string;
  readonly caller: Caller | null;
  readonly end: (code: CloseCode, reason: string) => void;
}

/** One connection's place among all. */
export class Slot {
  readonly address: string;
  readonly end: ConnectionOptions["end"];
  readonly #connections: Connections;
  #caller: Caller | null;

  constructor(connections: Connections, { address, caller, end }: ConnectionOptions) {
    this.#connections = connections;
    this.address = address;
    this.#caller = caller;
    this.end = end;
  }

  get caller(): Caller | null {
    return this.#caller;
  }

  /** Who the connection belongs to from now on. */
  identify(caller: Caller | null): void {
    this.#caller = caller;
    this.#connections.checkSession(this);
  }

  close(): void {
    this.#connections.remove(this);
  }
}

const sweepMs = 1_000;

export class Connections {
  readonly #slots = new Set<Slot>();
  readonly #addresses: Addresses;
  readonly #hasEnded: (sessionId: number) => boolean;
  /** Ends the look at the time. */
  readonly stop: () => void;

  /** `hasEnded` tells of sessions that ended while their connection was being opened. */
  constructor(clock: Clock, addresses: Addresses, hasEnded: (sessionId: number) => boolean) {
    this.#addresses = addresses;
    this.#hasEnded = hasEnded;
    this.stop = clock.every(sweepMs, () => {
      const now = clock.now();
      for (const slot of this.#slots) if (slot.caller && slot.caller.expires_at <= now) slot.end(closeCodes.tokenInvalid, "token expired");
    });
  }

  get size(): number {
    return this.#slots.size;
  }

  /** A place for one more, or undefined where its address has too many already. */
  open(options: ConnectionOptions): Slot | undefined {
    if (!this.#addresses.take(options.address)) return undefined;
    const slot = new Slot(this, options);
    this.#slots.add(slot);
    this.checkSession(slot);
    return slot;
  }

  /** Ends a connection whose session ended between the look at its token and now. */
  checkSession(slot: Slot): void {
    if (slot.caller && this.#hasEnded(slot.caller.session_id)) slot.end(closeCodes.tokenInvalid, "token no longer valid");
  }

  remove(slot: Slot): void {
    if (this.#slots.delete(slot)) this.#addresses.release(slot.address);
  }

  /** Ends what lives on a session that is over. */
  endSession(sessionId: number): void {
    for (const slot of this.#slots) if (slot.caller?.session_id === sessionId) slot.end(closeCodes.tokenInvalid, "token no longer valid");
  }

  endAll(): void {
    for (const slot of this.#slots) slot.end(closeCodes.goingAway, "going away");
  }
}
