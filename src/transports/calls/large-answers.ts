/** Owns turns at making answers that may be large: all that wait to be read are counted before the next one is made. */
import type { Clock } from "../../core/clock.ts";
import type { InTurn } from "../../core/context.ts";
import { AppError } from "../../core/errors.ts";
import { FairQueue } from "../../core/fair-queue.ts";
import { within } from "../../core/within.ts";

/** A page of SQLite is read within one turn. PostgreSQL reads this many at a time. */
const atOnce = 16;
/** A read that the database takes longer for holds nothing in memory yet, so it does not keep its place from the others. */
const placeMs = 100;

/** @param admit Throws where too many answers to an address have not been read. */
export function createTurns(admit: (address: string) => void, clock: Clock): InTurn {
  const queue = new FairQueue(atOnce);
  return async (address, work, signal) => {
    const begin = async () => {
      admit(address);
      const result = work();
      await within(clock, placeMs, result);
      return { result };
    };
    const begun = await queue.take(address, begin, () => !signal?.aborted);
    // The caller has left: the result is not read.
    if (!begun) throw new AppError("SERVICE_UNAVAILABLE");
    return begun.result;
  };
}
