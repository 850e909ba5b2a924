/** Look-ups of messages. */
import type { Read } from "../../core/context.ts";
import { visible } from "../../core/visible.ts";

export interface MessageRecord {
  id: number;
  channelId: number;
  userId: number;
  messageText: string;
  time: number;
  editedAt: number | null;
  clientMessageId: string | null;
}

export const messageColumns = `id, channel_id as "channelId", user_id as "userId", message_text as "messageText", time, edited_at as "editedAt", client_message_id as "clientMessageId"`;

export function findMessage(read: Read, id: number): Promise<MessageRecord | undefined> {
  return read.get(`select ${messageColumns} from ${visible("message")} where id = ?`, [id]);
}
