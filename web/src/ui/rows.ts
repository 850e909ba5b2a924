/** Owns how messages become rows: which begin a group, a day, what is new. */
import type { Message } from "@keenchat/client";
import { dayOf } from "./times.ts";

export interface RowShape {
  readonly message: Message;
  /** The local day this row begins. */
  readonly day: number | undefined;
  readonly isNew: boolean;
  /** Begins a group: shows who speaks. */
  readonly isFirst: boolean;
}

/** A message after a longer pause starts a new group. */
const groupMs = 5 * 60_000;

export function continues(before: { user_id: number; time: number } | undefined, next: { user_id: number; time: number }): boolean {
  return (
    before !== undefined && before.user_id === next.user_id && next.time - before.time < groupMs && dayOf(before.time) === dayOf(next.time)
  );
}

export function toRows(messages: readonly Message[], newFrom: number | undefined): RowShape[] {
  let before: Message | undefined;
  let beforeDay: number | undefined;
  return messages.map((message) => {
    const day = dayOf(message.time);
    const isNewDay = day !== beforeDay;
    const isNew = message.id === newFrom;
    const isFirst = isNewDay || isNew || !continues(before, message);
    before = message;
    beforeDay = day;
    return { message, day: isNewDay ? day : undefined, isNew, isFirst };
  });
}
