import { Migration } from "@mikro-orm/migrations";

/** Which messages are removed and not swept yet; and a message's events are found in their order. */
export class Migration20261128100000_removed_message extends Migration {
  override up(): void {
    this.addSql(`create table "removed_message" ("message_id" bigint not null, "seq" bigint not null, primary key ("message_id"))`);
    this.addSql(`create index "event_message_id_seq_index" on "event" ("message_id", "seq")`);
    this.addSql(`drop index "event_message_id_index"`);
  }

  override down(): void {
    this.addSql(`create index "event_message_id_index" on "event" ("message_id")`);
    this.addSql(`drop index "event_message_id_seq_index"`);
    this.addSql(`drop table "removed_message"`);
  }
}
