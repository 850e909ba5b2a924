/** The table of users. */
import { defineEntity, p } from "@mikro-orm/core";
import { maxUsernameCharacters } from "../../core/limits.ts";
import { rowId } from "../../core/row-id.ts";

export const UserEntity = defineEntity({
  name: "User",
  tableName: "user",
  properties: {
    id: rowId(),
    username: p.string().length(maxUsernameCharacters),
    /** The name in lower case: names are unique whatever their case. */
    username_key: p.string().length(maxUsernameCharacters).unique(),
    password_hash: p.text(),
    /** Was the first user made on this machine while ADMIN was not set. */
    admin: p.boolean().default(false),
    created_at: p.bigint("number"),
  },
});
