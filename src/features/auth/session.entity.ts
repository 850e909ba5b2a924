/** The table of sessions: a token lives as long as its row. */
import { defineEntity, p } from "@mikro-orm/core";
import { rowId } from "../../core/row-id.ts";
import { UserEntity } from "../user/user.entity.ts";

export const SessionEntity = defineEntity({
  name: "Session",
  tableName: "session",
  properties: {
    id: rowId(),
    user_id: () => p.manyToOne(UserEntity).mapToPk().index(),
    created_at: p.bigint("number"),
    expires_at: p.bigint("number").index(),
  },
});
