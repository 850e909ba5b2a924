/** Owns how long an end is waited for: a database that is silent does not say goodbye either. */
import { systemClock } from "../../core/clock.ts";
import { within } from "../../core/within.ts";

const farewellMs = 1_000;

/** Resolves when all of it has ended, or is not waited for any longer. */
export async function farewell(...goodbyes: readonly Promise<unknown>[]): Promise<void> {
  await within(systemClock, farewellMs, Promise.all(goodbyes));
}
