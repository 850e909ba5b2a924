/** The table of channels. */
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
    userId: () => p.manyToOne(UserEntity).mapToPk().fieldName("user_id").nullable().index(),
  },
});
