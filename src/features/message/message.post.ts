/** Posting: all posts that wait together are one transaction. A key makes a post repeatable: it commits once. */
import { createHash } from "node:crypto";
import { AppError } from "../../core/errors.ts";
import { type EventDefinition, loggedEvent } from "../../core/events/event.ts";
import { columnsOf, type Row, toResource, toRow } from "../../core/resource.ts";
import type { Batch, BatchReads } from "../../core/transaction.ts";
import { noSuchChannel } from "../channel/channel.queries.ts";
import { Message } from "./message.shape.ts";

/** What a client posts, and for whom. */
export type Post = Omit<Message, "id" | "time">;

export interface Posted {
  readonly message: Message;
  /** This key had posted it before. */
  readonly repeated: boolean;
}

type MessageRow = Row<typeof Message>;

interface KeyRow {
  user_id: number;
  client_message_id: string;
  message_id: number;
  body_hash: string;
}

interface Known {
  readonly channels: ReadonlySet<number>;
  readonly keys: Map<string, KeyRow>;
  readonly messages: Map<number, MessageRow>;
}

function hashBody({ channel_id, message_text }: Post): string {
  return createHash("sha256").update(`${channel_id}\n${message_text}`).digest("hex");
}

/** Numbers hold no colon, so no two keys meet. */
function keyOf(userId: number, clientMessageId: string): string {
  return `${userId}:${clientMessageId}`;
}

async function findChannels(reads: BatchReads, posts: readonly Post[]): Promise<Set<number>> {
  const ids = [...new Set(posts.map((post) => post.channel_id))];
  const rows = await reads.findMany<{ id: number }>(
    "channel",
    "id",
    ["id"],
    ids.map((id) => [id]),
  );
  return new Set(rows.map((row) => row.id));
}

/** What the keys of these posts have posted before, and those messages as they are now. */
async function findRepeated(reads: BatchReads, posts: readonly Post[]): Promise<Omit<Known, "channels">> {
  const wanted = posts.flatMap((post) => (post.client_message_id === undefined ? [] : [[post.user_id, post.client_message_id]]));
  const keys = await reads.findMany<KeyRow>("message_key", "*", ["user_id", "client_message_id"], wanted);
  const messages = await reads.findMany<MessageRow>(
    "message",
    columnsOf(Message),
    ["id"],
    keys.map((key) => [key.message_id]),
  );
  return {
    keys: new Map(keys.map((key) => [keyOf(key.user_id, key.client_message_id), key])),
    messages: new Map(messages.map((row) => [row.id, row])),
  };
}

export const postMessages: Batch<Post, Known, Posted> & { event: EventDefinition<"post message", typeof Message> } = {
  event: loggedEvent("post message", Message, "A message was posted."),

  sizeOf: ({ message_text }) => message_text.length,

  async read(reads, posts) {
    const [channels, repeated] = await Promise.all([findChannels(reads, posts), findRepeated(reads, posts)]);
    return { channels, ...repeated };
  },

  write(writes, posts, { channels, keys, messages }) {
    const newMessages: MessageRow[] = [];
    const newKeys: KeyRow[] = [];

    const results = posts.map((post): Posted | AppError => {
      const { user_id, channel_id, client_message_id } = post;
      const key = client_message_id === undefined ? undefined : keyOf(user_id, client_message_id);
      const before = key === undefined ? undefined : keys.get(key);
      if (before) {
        const message = messages.get(before.message_id);
        if (before.body_hash !== hashBody(post)) return new AppError("CONFLICT", "This client_message_id has posted another message.");
        if (!message) return new AppError("CONFLICT", "The message of this client_message_id was deleted.");
        return { message: toResource(Message, { ...message }), repeated: true };
      }
      if (!channels.has(channel_id)) return noSuchChannel();
      const row = toRow(Message, { id: writes.nextMessageId(), time: writes.now, ...post });
      // With the fields of the shape in their order, as every answer has them.
      const message = toResource(Message, { ...row });
      newMessages.push(row);
      if (key !== undefined && client_message_id !== undefined) {
        const keyRow = { user_id, client_message_id, message_id: row.id, body_hash: hashBody(post) };
        newKeys.push(keyRow);
        keys.set(key, keyRow);
        messages.set(row.id, row);
      }
      writes.append(postMessages.event, message, { channel_id, message_id: row.id });
      return { message, repeated: false };
    });

    writes.insertMany("message", newMessages);
    writes.insertMany("message_key", newKeys);
    return results;
  },
};
