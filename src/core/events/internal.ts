/** Events that travel in the log but never reach a client: what one node has to tell the others. */
import { z } from "zod";
import { type EventDefinition, loggedEvent } from "./event.ts";

/** A session ended before its time; every node stops believing its token. */
export const endSession = loggedEvent("end session", z.object({ session_id: z.int() }), "A session ended.");

/** Something was removed: every node takes the data out of the earlier events about it that it holds in memory. */
export const blankEvents = loggedEvent(
  "blank",
  z.object({ channel_id: z.int().optional(), message_id: z.int().optional() }),
  "Earlier events about something were emptied.",
);

const internalNames: ReadonlySet<string> = new Set(["origin", endSession.name, blankEvents.name]);

/** Whether events of this name are for servers only. `origin` is the position before the first event. */
export function isInternal(name: string): boolean {
  return internalNames.has(name);
}

/** The data of an event, where it is of this definition. */
export function readInternal<Data extends z.ZodType>(
  definition: EventDefinition<string, Data>,
  { name, internal }: { readonly name: string; readonly internal?: string },
): z.output<Data> | undefined {
  return name === definition.name && internal !== undefined ? definition.data.parse(JSON.parse(internal)) : undefined;
}
