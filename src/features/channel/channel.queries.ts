/** Look-ups of channels that other features use too. */
import type { Read } from "../../core/context.ts";
import { visible } from "../../core/visible.ts";

export interface ChannelRecord {
  id: number;
  title: string;
  description: string;
  userId: number | null;
}

export const channelColumns = `id, title, description, user_id as "userId"`;

export function findChannel(read: Read, id: number): Promise<ChannelRecord | undefined> {
  return read.get(`select ${channelColumns} from ${visible("channel")} where id = ?`, [id]);
}
