/**
 * Owns the filter that hides a removed channel or message from its commit on, while `db/sweep.ts` still deletes its rows.
 * Every read for a client, by SQL or by the ORM, passes through it.
 */

/** Asked once a statement and not once a row, so that no query leaves its index for it. Nearly always there are none. */
const removed = "(select channel_id from removed_channel)";

const isThere: Readonly<Record<string, string>> = {
  channel: `id not in ${removed}`,
  message: `channel_id not in ${removed}`,
};

/** Of a removed channel or message the log shows only the removal. */
const events = `select seq, tag, name, channel_id, message_id, at,
  case when channel_id in ${removed} and seq not in (select seq from removed_channel) then null
  when message_id in (select message_id from removed_message)
    and seq <= (select r.seq from removed_message r where r.message_id = event.message_id) then null else payload end as payload from event`;

/** The condition for a table's rows to be there for anybody; undefined where they all are. */
export function visibleWhere(table: string): string | undefined {
  return isThere[table];
}

/** A table as anybody may see it, to select from. */
export function visible(table: string): string {
  if (table === "event") return `(${events}) as event`;
  const where = visibleWhere(table);
  return where ? `(select * from "${table}" where ${where}) as "${table}"` : `"${table}"`;
}
