/** Owns the TCP connections of both ports: ends those whose client has stopped reading, and limits the bytes that wait for all clients. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Origin } from "../../core/caller.ts";
import type { Clock } from "../../core/clock.ts";
import { AppError } from "../../core/errors.ts";
import { firstByteWithinMs, maxUnreadBytesInAll, maxUnreadBytesPerAddress, unreadAnswerMs } from "../../core/limits.ts";

const sweepMs = 5_000;
/** For so long a count of the waiting bytes is used. */
const countedMs = 50;

interface Open {
  /** Monotonic milliseconds, as all times here. */
  readonly openedAt: number;
  /** The answers that are still to come on it. */
  readonly answers: ServerResponse[];
  /** Set once it is no longer HTTP's. */
  upgradedFrom: string | undefined;
  /** What `progressOf` gave at the last look, and when that last changed. */
  progress: number;
  movedAt: number;
}

function isStream(response: ServerResponse): boolean {
  return String(response.getHeader("Content-Type")).startsWith("text/event-stream");
}

/**
 * A number that changes whenever a client takes something. Node counts a write once all of it was taken. How much of a large one is still
 * to go only the handle knows, where Node's own time limit of sockets looks for it too.
 */
function progressOf(socket: Socket): number {
  const { writeQueueSize = 0 } = (socket as Socket & { _handle?: { writeQueueSize?: number } | null })._handle ?? {};
  return socket.bytesWritten - socket.writableLength - writeQueueSize;
}

export class OpenSockets {
  readonly #clock: Clock;
  readonly #originOf: (request: IncomingMessage) => Origin;
  readonly #open = new Map<Socket, Open>();
  readonly #stopSweep: () => void;
  #counted: { at: number; all: number; byAddress: ReadonlyMap<string, number> } = {
    at: Number.NEGATIVE_INFINITY,
    all: 0,
    byAddress: new Map(),
  };

  constructor(clock: Clock, originOf: (request: IncomingMessage) => Origin) {
    this.#clock = clock;
    this.#originOf = originOf;
    this.#stopSweep = clock.every(sweepMs, () => this.#sweep());
  }

  add(socket: Socket): void {
    const now = this.#clock.monotonic();
    this.#open.set(socket, { openedAt: now, answers: [], upgradedFrom: undefined, progress: 0, movedAt: now });
    socket.once("close", () => this.#open.delete(socket));
  }

  /** An answer is to come on its request's connection. */
  expect(response: ServerResponse): void {
    // Not one set of all answers. Why: src/README.md, 2026-11-24.
    const answers = this.#open.get(response.req.socket)?.answers ?? [];
    answers.push(response);
    response.once("close", () => answers.splice(answers.indexOf(response), 1));
  }

  /** From now on its protocol has its own heartbeat. */
  upgrade(request: IncomingMessage): void {
    const open = this.#open.get(request.socket);
    if (open) open.upgradedFrom = this.#originOf(request).address;
  }

  /** @throws AppError where too many unsent bytes wait for clients. */
  admit(address: string): void {
    const now = this.#clock.monotonic();
    if (now - this.#counted.at > countedMs) this.#count(now);
    if ((this.#counted.byAddress.get(address) ?? 0) > maxUnreadBytesPerAddress)
      throw new AppError("TOO_MANY_REQUESTS", "Too many answers to this address have not been read.", { retryAfterSeconds: 1 });
    if (this.#counted.all > maxUnreadBytesInAll)
      throw new AppError("SERVICE_UNAVAILABLE", "Too many answers have not been read.", { retryAfterSeconds: 1 });
  }

  /** The server stops: connections that have sent nothing are ended, and the others end with their answer. */
  stop(): void {
    this.#stopSweep();
    for (const [socket, { answers }] of this.#open) {
      // Browsers open connections in advance; one that has said nothing yet is not idle to Node.
      if (socket.bytesRead === 0) socket.destroy();
      // Without the header that this sets, a client would send its next request into a closed connection.
      for (const answer of answers) answer.shouldKeepAlive = false;
    }
  }

  #count(now: number): void {
    const byAddress = new Map<string, number>();
    let all = 0;
    for (const [{ writableLength }, { answers, upgradedFrom }] of this.#open) {
      if (writableLength === 0) continue;
      all += writableLength;
      const address = upgradedFrom ?? (answers[0] && this.#originOf(answers[0].req).address) ?? "";
      byAddress.set(address, (byAddress.get(address) ?? 0) + writableLength);
    }
    this.#counted = { at: now, all, byAddress };
  }

  #sweep(): void {
    const now = this.#clock.monotonic();
    for (const [socket, open] of this.#open) {
      const progress = progressOf(socket);
      if (socket.writableLength === 0 || progress !== open.progress) open.movedAt = now;
      open.progress = progress;
      if (open.upgradedFrom !== undefined) continue;
      // A stream of events has a feed, which gives its reader more time.
      const unread = now - open.movedAt >= unreadAnswerMs && !open.answers.some(isStream);
      // Browsers open connections in advance, and open others where these are gone.
      if (unread || (socket.bytesRead === 0 && now - open.openedAt >= firstByteWithinMs)) socket.destroy();
    }
  }
}
