/** A message as it goes out. */
import { z } from "zod";
import { Id, Time } from "../../core/schema.ts";
import type { MessageRecord } from "./message.queries.ts";

export const Message = z
  .object({
    id: Id,
    channel_id: Id,
    user_id: Id,
    message_text: z.string(),
    time: Time,
    edited_at: Time.optional().describe("When it was last changed; missing when it never was."),
    client_message_id: z.string().optional().describe("As the sender gave it."),
  })
  .meta({ id: "Message" });

export type Message = z.infer<typeof Message>;

export function toMessage(row: MessageRecord): Message {
  return {
    id: row.id,
    channel_id: row.channelId,
    user_id: row.userId,
    message_text: row.messageText,
    time: row.time,
    ...(row.editedAt !== null && { edited_at: row.editedAt }),
    ...(row.clientMessageId !== null && { client_message_id: row.clientMessageId }),
  };
}
