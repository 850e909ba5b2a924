/** Owns turns at making answers that may be large: all that wait to be read are counted before the next one is made. */
import type { InTurn } from "../../core/context.ts";
import { AppError } from "../../core/errors.ts";
import { FairQueue } from "../../core/fair-queue.ts";

/** A page of SQLite is read within one turn. PostgreSQL reads this many at a time. */
const atOnce = 8;

/** @param admit Throws where too many answers to an address have not been read. */
export function createTurns(admit: (address: string) => void): InTurn {
  const queue = new FairQueue(atOnce);
  return async (address, work, signal) => {
    const begin = async () => {
      admit(address);
      return { result: await work() };
    };
    const done = await queue.take(address, begin, () => !signal?.aborted);
    // The caller has left: the result is not read.
    if (!done) throw new AppError("SERVICE_UNAVAILABLE");
    return done.result;
  };
}
