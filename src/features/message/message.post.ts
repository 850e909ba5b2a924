/** Posting: all posts that wait together are one transaction. A key makes a post repeatable: it commits once. */
import { createHash } from "node:crypto";
import type { Batch, BatchReads } from "../../core/context.ts";
import { AppError } from "../../core/errors.ts";
import { type EventDefinition, loggedEvent } from "../../core/events/event.ts";
import { type MessageRecord, messageColumns } from "./message.queries.ts";
import { Message, toMessage } from "./message.shape.ts";

export interface Post {
  readonly userId: number;
  readonly channelId: number;
  readonly messageText: string;
  readonly clientMessageId: string | null;
}

export interface Posted {
  readonly message: Message;
  /** This key had posted it before. */
  readonly repeated: boolean;
}

interface KeyRecord {
  userId: number;
  clientMessageId: string;
  messageId: number;
  bodyHash: string;
}

function bodyHash({ channelId, messageText }: Post): string {
  return createHash("sha256").update(`${channelId}\n${messageText}`).digest("hex");
}

/** Numbers hold no colon, so no two keys meet. */
function keyOf(userId: number, clientMessageId: string): string {
  return `${userId}:${clientMessageId}`;
}

async function findChannels(reads: BatchReads, posts: readonly Post[]): Promise<Set<number>> {
  const ids = new Set(posts.map((post) => post.channelId));
  const rows = await reads.findMany<{ id: number }>(
    "channel",
    "id",
    ["id"],
    [...ids].map((id) => [id]),
  );
  return new Set(rows.map((row) => row.id));
}

/** What the keys of these posts have posted before, and those messages as they are now. */
async function findRepeated(reads: BatchReads, posts: readonly Post[]) {
  const wanted = posts.flatMap((post) => (post.clientMessageId === null ? [] : [[post.userId, post.clientMessageId]]));
  const columns = `user_id as "userId", client_message_id as "clientMessageId", message_id as "messageId", body_hash as "bodyHash"`;
  const rows = await reads.findMany<KeyRecord>("message_key", columns, ["user_id", "client_message_id"], wanted);
  const messages = await reads.findMany<MessageRecord>(
    "message",
    messageColumns,
    ["id"],
    rows.map((row) => [row.messageId]),
  );
  return {
    keys: new Map(rows.map((row) => [keyOf(row.userId, row.clientMessageId), row])),
    messages: new Map(messages.map((row) => [row.id, row])),
  };
}

interface Known {
  readonly channels: ReadonlySet<number>;
  readonly keys: Map<string, KeyRecord>;
  readonly messages: Map<number, MessageRecord>;
}

export const postMessages: Batch<Post, Known, Posted> & { event: EventDefinition<"post message", typeof Message> } = {
  event: loggedEvent("post message", Message, "A message was posted."),

  sizeOf: ({ messageText }) => messageText.length,

  async read(reads, posts) {
    const [channels, repeated] = await Promise.all([findChannels(reads, posts), findRepeated(reads, posts)]);
    return { channels, ...repeated };
  },

  write(writes, posts, { channels, keys, messages }) {
    const newMessages: MessageRecord[] = [];
    const newKeys: KeyRecord[] = [];

    const results = posts.map((post): Posted | AppError => {
      const { userId, channelId, messageText, clientMessageId } = post;
      const key = clientMessageId === null ? undefined : keyOf(userId, clientMessageId);
      const before = key === undefined ? undefined : keys.get(key);
      if (before) {
        const message = messages.get(before.messageId);
        if (before.bodyHash !== bodyHash(post)) return new AppError("CONFLICT", "This client_message_id has posted another message.");
        if (!message) return new AppError("CONFLICT", "The message of this client_message_id was deleted.");
        return { message: toMessage(message), repeated: true };
      }
      if (!channels.has(channelId)) return new AppError("NOT_FOUND", "There is no such channel.");
      const row = {
        id: writes.nextMessageId(),
        channelId,
        userId,
        messageText,
        time: writes.now,
        editedAt: null,
        clientMessageId,
      };
      newMessages.push(row);
      if (key !== undefined && clientMessageId !== null) {
        const record = { userId, clientMessageId, messageId: row.id, bodyHash: bodyHash(post) };
        newKeys.push(record);
        keys.set(key, record);
        messages.set(row.id, row);
      }
      const message = toMessage(row);
      writes.append(postMessages.event, message, { channelId, messageId: row.id });
      return { message, repeated: false };
    });

    writes.insertMany(
      "message",
      ["id", "channel_id", "user_id", "message_text", "time", "client_message_id"],
      newMessages.map((row) => [row.id, row.channelId, row.userId, row.messageText, row.time, row.clientMessageId]),
    );
    writes.insertMany(
      "message_key",
      ["user_id", "client_message_id", "message_id", "body_hash"],
      newKeys.map((row) => [row.userId, row.clientMessageId, row.messageId, row.bodyHash]),
    );
    return results;
  },
};
