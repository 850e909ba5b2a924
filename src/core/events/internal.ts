/** Events in the log that never reach a client: messages from one node to the others. */
import { z } from "zod";
import { type EventDefinition, loggedEvent } from "./event.ts";

/** A session ended before its expiry; every node refuses its token from now on. */
export const endSession = loggedEvent("end session", z.object({ session_id: z.int() }), "A session ended.");

/** A channel or message was removed: every node removes the data of its earlier events from memory. */
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
