/** Owns what a plain or Socket.IO client may send, and what it alone is answered: the shim carries it out, the AsyncAPI document tells of it. */
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
  connection: { data: z.null(), answers: ["ready"], description: "Asks for a position: `ready`, once everything up to now has been sent." },
  identify: {
    data: z.string().describe("A token."),
    answers: ["identified", "identity failure"],
    description: "Says who the client is. As somebody else: leaves first. Refused: it stays who it was.",
  },
  unidentify: { data: z.null(), answers: [], description: "Leaves the channel and forgets who the client is." },
  "change channel": {
    data: z.object({ id: Id.nullable() }).meta({ id: "ToChannel" }).nullable(),
    answers: ["channel movement"],
    description: "Moves to a channel; an id of null, or null, leaves. Everyone hears `channel movement` for both channels.",
  },
  "start typing": {
    data: InChannel,
    answers: [],
    description: `Everyone hears \`start typing\`; it ends after ${typingMs / 1_000} s of silence.`,
  },
  "stop typing": { data: InChannel, answers: [], description: "Everyone hears `stop typing`." },
} as const satisfies Record<string, Command>;

export type CommandName = keyof typeof commands;

export function isCommand(name: string): name is CommandName {
  return Object.hasOwn(commands, name);
}

/** What only the client that sent a command hears. */
export const answers = {
  identified: { data: z.null(), description: "The token is good." },
  "identity failure": { data: z.null(), description: "The token is not good." },
  error: {
    data: z.object({ error: z.string(), code: z.enum(Object.keys(errorCodes) as [string, ...string[]]) }),
    description: `What was sent could not be done. The socket stays open; more than ${maxErrors} within ${errorWindowMs / 1_000} s close it.`,
  },
} as const satisfies Record<string, { data: z.ZodType; description: string }>;
