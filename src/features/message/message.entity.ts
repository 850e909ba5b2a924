/** The tables of messages and of the keys that make posting repeatable. */
import { defineEntity, p } from "@mikro-orm/core";
import { rowId } from "../../core/row-id.ts";
import { ChannelEntity } from "../channel/channel.entity.ts";
import { UserEntity } from "../user/user.entity.ts";

export const MessageEntity = defineEntity({
  name: "Message",
  tableName: "message",
  indexes: [{ properties: ["channelId", "id"] }, { properties: ["userId", "id"] }, { properties: ["channelId", "userId", "id"] }],
  properties: {
    /** Taken from the counter row, in commit order. */
    id: rowId(),
    channelId: () => p.manyToOne(ChannelEntity).mapToPk().fieldName("channel_id").index(false).deleteRule("cascade"),
    userId: () => p.manyToOne(UserEntity).mapToPk().fieldName("user_id").index(false),
    messageText: p.text(),
    time: p.bigint("number"),
    editedAt: p.bigint("number").nullable(),
    clientMessageId: p.text().nullable(),
  },
});

/** Outlives its message, so that a late retry of a deleted message is refused and does not post it again. */
export const MessageKeyEntity = defineEntity({
  name: "MessageKey",
  tableName: "message_key",
  properties: {
    userId: () => p.manyToOne(UserEntity).mapToPk().fieldName("user_id").index(false).primary(),
    clientMessageId: p.string().length(64).primary(),
    messageId: p.bigint("number"),
    /** SHA-256 of what was posted, to tell a retry from another message under the same key. */
    bodyHash: p.string().length(64),
  },
});
