/** Owns the primary key of a table whose rows get their number from the database. */
import { p } from "@mikro-orm/core";

/**
 * 64 bits, never given twice. SQLite numbers rows only under the type name `integer`, which is as wide there;
 * without the last call `mikro-orm migration:create` would want to change it back for ever.
 */
export function rowId() {
  return p.bigint("number").primary().autoincrement().ignoreSchemaChanges("type");
}
