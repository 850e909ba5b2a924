/** Owns the waiting commands of one socket: in order, a few in one turn of the event loop, and never more than a limit. */
import { maxWaitingCommandBytes } from "../../core/limits.ts";
import { yieldToOthers } from "../../core/yield.ts";

/** The client's side, which can be made to wait. */
export interface Flow {
  pause(): void;
  resume(): void;
}

/** Commands that wait before the client has to. */
const maxWaiting = 64;
/** A command's closures and its place in the queue, roughly. */
const overheadBytes = 512;
const inOneTurn = 8;
/** The beginning of every queue; one for all sockets, as most stay that way. */
const done = Promise.resolve();

export class CommandQueue {
  readonly #flow: Flow | undefined;
  #tail = done;
  #waiting = 0;
  #waitingBytes = 0;
  #untilYield = inOneTurn;

  constructor(flow?: Flow) {
    this.#flow = flow;
  }

  /** False where too much waits already. `run` never rejects. */
  add(text: string, run: () => Promise<void>): boolean {
    const bytes = overheadBytes + 2 * text.length;
    if (this.#waitingBytes + bytes > maxWaitingCommandBytes) return false;
    this.#waitingBytes += bytes;
    this.#waiting += 1;
    if (this.#waiting === maxWaiting) this.#flow?.pause();
    this.#tail = this.#tail.then(async () => {
      await run();
      this.#waitingBytes -= bytes;
      this.#waiting -= 1;
      if (this.#waiting === maxWaiting - 1) this.#flow?.resume();
      this.#untilYield -= 1;
      if (this.#untilYield > 0) return;
      this.#untilYield = inOneTurn;
      await yieldToOthers();
    });
    return true;
  }
}
