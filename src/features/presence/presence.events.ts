/** The events of presence and typing: of the moment, outside the log. */
import { z } from "zod";
import { ephemeralEvent } from "../../core/events/event.ts";
import { typingMs } from "../../core/limits.ts";
import { Id } from "../../core/schema.ts";

/** Who is in a channel now. */
export const ChannelUsers = z
  .object({ channel_id: Id, users: z.array(Id).describe("All user ids now in it: ascending, each once.") })
  .meta({ id: "ChannelUsers" });

const Typing = z.object({ user_id: Id, channel_id: Id }).meta({ id: "Typing" });

export const presenceEvents = [
  ephemeralEvent("channel movement", ChannelUsers, "Somebody came into a channel or left it."),
  ephemeralEvent("start typing", Typing, "Somebody began to type."),
  ephemeralEvent("stop typing", Typing, `Somebody stopped typing, or did not repeat \`start typing\` for ${typingMs / 1_000} s.`),
] as const;
