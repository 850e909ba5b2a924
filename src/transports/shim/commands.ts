/** Owns what a plain or Socket.IO client may send, and the answers that it alone gets. The shim carries them out, the AsyncAPI document describes them. */
import { z } from "zod";
import { errorCodes } from "../../core/errors.ts";
import { errorWindowMs, maxErrors, typingMs } from "../../core/limits.ts";
import { Id } from "../../core/schema.ts";

interface Command {
  readonly data: z.ZodType;
  readonly description: string;
  /** The events this client alone is answered with. */
  readonly answers: readonly string[];
}

const InChannel = z.object({ channel_id: Id }).meta({ id: "InChannel" });

/** By name. An `error` can answer each of them. */
export const commands = {
  connection: { data: z.null(), answers: ["ready"], description: "Asks for `ready`, which comes after all events so far." },
  identify: {
    data: z.string().describe("A token."),
    answers: ["identified", "identity failure"],
    description: "Identifies the client. If it was another user, that user leaves first. A refused token changes nothing.",
  },
  unidentify: { data: z.null(), answers: [], description: "Leaves the channel; the client is anonymous again." },
  "change channel": {
    data: z.object({ id: Id.nullable() }).meta({ id: "ToChannel" }).nullable(),
    answers: ["channel movement"],
    description: "Moves to a channel; an id of null, or null, leaves. Everyone gets `channel movement` for both channels.",
  },
  "start typing": {
    data: InChannel,
    answers: [],
    description: `Everyone gets \`start typing\`. It ends after ${typingMs / 1_000} s if it is not repeated.`,
  },
  "stop typing": { data: InChannel, answers: [], description: "Everyone gets `stop typing`." },
} as const satisfies Record<string, Command>;

export type CommandName = keyof typeof commands;

export function isCommand(name: string): name is CommandName {
  return Object.hasOwn(commands, name);
}

/** Events that only the sender of a command gets. */
export const answers = {
  identified: { data: z.null(), description: "The token is valid." },
  "identity failure": { data: z.null(), description: "The token is not valid." },
  error: {
    data: z.object({ error: z.string(), code: z.enum(Object.keys(errorCodes) as [string, ...string[]]) }),
    description: `What was sent could not be done. The socket stays open; more than ${maxErrors} within ${errorWindowMs / 1_000} s close it.`,
  },
} as const satisfies Record<string, { data: z.ZodType; description: string }>;
