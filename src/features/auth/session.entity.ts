/** The table of sessions: a token lives as long as its row. */
import { defineEntity, p } from "@mikro-orm/core";
import { rowId } from "../../core/row-id.ts";
import { UserEntity } from "../user/user.entity.ts";

export const SessionEntity = defineEntity({
  name: "Session",
  tableName: "session",
  properties: {
    id: rowId(),
    userId: () => p.manyToOne(UserEntity).mapToPk().fieldName("user_id").index(),
    createdAt: p.bigint("number"),
    expiresAt: p.bigint("number").index(),
  },
});
