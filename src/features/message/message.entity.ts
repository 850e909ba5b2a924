/** The tables of messages and of the keys that make posting repeatable. */
import { defineEntity, p } from "@mikro-orm/core";
import { maxClientMessageIdCharacters } from "../../core/limits.ts";
import { rowId } from "../../core/row-id.ts";
import { ChannelEntity } from "../channel/channel.entity.ts";
import { UserEntity } from "../user/user.entity.ts";

export const MessageEntity = defineEntity({
  name: "Message",
  tableName: "message",
  indexes: [{ properties: ["channel_id", "id"] }, { properties: ["user_id", "id"] }, { properties: ["channel_id", "user_id", "id"] }],
  properties: {
    /** Taken from the counter row, in commit order. */
    id: rowId(),
    channel_id: () => p.manyToOne(ChannelEntity).mapToPk().index(false).deleteRule("cascade"),
    user_id: () => p.manyToOne(UserEntity).mapToPk().index(false),
    message_text: p.text(),
    time: p.bigint("number"),
    edited_at: p.bigint("number").nullable(),
    client_message_id: p.text().nullable(),
  },
});

/** A message that was removed, with more events than one transaction may empty: the others are hidden until they are swept. */
export const RemovedMessageEntity = defineEntity({
  name: "RemovedMessage",
  tableName: "removed_message",
  properties: {
    message_id: p.bigint("number").primary().autoincrement(false),
    /** The last position before its removal. */
    seq: p.bigint("number"),
  },
});

/** Outlives its message, so that a late retry of a deleted message is refused and does not post it again. */
export const MessageKeyEntity = defineEntity({
  name: "MessageKey",
  tableName: "message_key",
  properties: {
    user_id: () => p.manyToOne(UserEntity).mapToPk().index(false).primary(),
    client_message_id: p.string().length(maxClientMessageIdCharacters).primary(),
    message_id: p.bigint("number"),
    /** SHA-256 of what was posted, to tell a retry from another message under the same key. */
    body_hash: p.string().length(64),
  },
});
