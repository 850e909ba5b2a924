import { Migration } from "@mikro-orm/migrations";

/** One user's messages in one channel are found without passing over others'. */
export class Migration20261128000000_message_by_both extends Migration {
  override up(): void {
    this.addSql("create index `message_channel_id_user_id_id_index` on `message` (`channel_id`, `user_id`, `id`)");
  }

  override down(): void {
    this.addSql("drop index `message_channel_id_user_id_id_index`");
  }
}
