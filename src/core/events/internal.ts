/** Events that travel in the log but never reach a client. */
import { z } from "zod";
import { loggedEvent } from "./event.ts";

/** A session ended before its time; every node stops believing its token. */
export const endSession = loggedEvent("end session", z.object({ session_id: z.int() }), "A session ended.");

const internalNames: ReadonlySet<string> = new Set(["origin", endSession.name]);

/** Whether events of this name are for servers only. `origin` is the position before the first event. */
export function isInternal(name: string): boolean {
  return internalNames.has(name);
}
