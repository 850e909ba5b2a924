import { Migration } from "@mikro-orm/migrations";

/** One user's messages in one channel are found without passing over others'. */
export class Migration20261128000000_message_by_both extends Migration {
  override up(): void {
    this.addSql(`create index "message_channel_id_user_id_id_index" on "message" ("channel_id", "user_id", "id")`);
    // Plans are made without the values. Where one user or one channel has nearly all messages, a filter by it would seem to choose
    // nothing, and the walk past all of them as good as any.
    this.addSql(`alter table "message" alter column "channel_id" set (n_distinct = 1000), alter column "user_id" set (n_distinct = 1000)`);
  }

  override down(): void {
    this.addSql(`alter table "message" alter column "channel_id" reset (n_distinct), alter column "user_id" reset (n_distinct)`);
    this.addSql(`drop index "message_channel_id_user_id_id_index"`);
  }
}
