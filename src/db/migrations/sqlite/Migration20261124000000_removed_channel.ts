import { Migration } from "@mikro-orm/migrations";

/** Which channels are removed and not swept yet. */
export class Migration20261124000000_removed_channel extends Migration {
  override up(): void {
    this.addSql(
      "create table `removed_channel` (`channel_id` bigint not null primary key, `seq` bigint not null, constraint `removed_channel_channel_id_foreign` foreign key (`channel_id`) references `channel` (`id`) on update cascade on delete cascade)",
    );
  }
}
