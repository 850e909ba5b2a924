/** What other features use of channels too: look-ups, and the event of a removal. */

import { z } from "zod";
import { AppError } from "../../core/errors.ts";
import { loggedEvent } from "../../core/events/event.ts";
import { Id } from "../../core/schema.ts";
import type { Read } from "../../core/transaction.ts";
import { visible } from "../../core/visible.ts";

export const deleteChannel = loggedEvent("delete channel", z.object({ id: Id }), "A channel was removed, and its messages with it.");

export function noSuchChannel(): AppError {
  return new AppError("NOT_FOUND", "There is no such channel.");
}

/** @throws AppError NOT_FOUND where there is no channel of this id. */
export async function requireChannel(read: Read, id: number): Promise<void> {
  if (!(await read.get(`select id from ${visible("channel")} where id = ?`, [id]))) throw noSuchChannel();
}
