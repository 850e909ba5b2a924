/** Owns the shape of a message, in the table and on every wire. */
import { z } from "zod";
import { Id, Time } from "../../core/schema.ts";

export const Message = z
  .object({
    id: Id,
    channel_id: Id,
    user_id: Id,
    message_text: z.string().meta({ examples: ["Hello!"] }),
    time: Time,
    edited_at: Time.optional().describe("When it was last changed; missing when it never was."),
    client_message_id: z.string().optional().describe("As the sender gave it."),
  })
  .meta({ id: "Message" });

export type Message = z.infer<typeof Message>;
