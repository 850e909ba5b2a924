/** Look-ups of channels that other features use too. */

import { AppError } from "../../core/errors.ts";
import type { Read } from "../../core/transaction.ts";
import { visible } from "../../core/visible.ts";

export function noSuchChannel(): AppError {
  return new AppError("NOT_FOUND", "There is no such channel.");
}

/** @throws AppError NOT_FOUND where there is no channel of this id. */
export async function requireChannel(read: Read, id: number): Promise<void> {
  if (!(await read.get(`select id from ${visible("channel")} where id = ?`, [id]))) throw noSuchChannel();
}
