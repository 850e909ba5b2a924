/** The tables of channels, and of those that were removed. */
import { defineEntity, p } from "@mikro-orm/core";
import { rowId } from "../../core/row-id.ts";
import { UserEntity } from "../user/user.entity.ts";

export const ChannelEntity = defineEntity({
  name: "Channel",
  tableName: "channel",
  properties: {
    id: rowId(),
    title: p.text(),
    description: p.text(),
    /** Who made it; null for the two original ones. */
    user_id: () => p.manyToOne(UserEntity).mapToPk().nullable().index(),
  },
});

/** A channel that was removed: everything of it is hidden, and gone once it is swept. Its row goes last, and this one with it. */
export const RemovedChannelEntity = defineEntity({
  name: "RemovedChannel",
  tableName: "removed_channel",
  properties: {
    channel_id: () => p.manyToOne(ChannelEntity).mapToPk().index(false).primary().deleteRule("cascade"),
    /** The position of its `delete channel`. */
    seq: p.bigint("number"),
  },
});
