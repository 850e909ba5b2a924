/** Owns the answers for load balancers: whether the process is alive, and whether it can serve. */

import { AppError } from "../../core/errors.ts";
import type { Read } from "../../core/transaction.ts";

/** Whether the database answers, and takes changes. @throws AppError SERVICE_UNAVAILABLE with the reason. */
export async function checkReady(read: Read, checkWrites: () => Promise<void>): Promise<void> {
  try {
    await read.get("select id from counter where id = 1", []);
    await checkWrites();
  } catch (cause) {
    if (cause instanceof AppError) throw cause;
    throw new AppError("SERVICE_UNAVAILABLE", "The database does not answer.", { cause, retryAfterSeconds: 1 });
  }
}
