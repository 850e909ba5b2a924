import { Migration } from "@mikro-orm/migrations";
import { systemClock } from "../../../core/clock.ts";
import { randomTag } from "../../../core/random.ts";

/** Every table, the two original channels, and the log's origin: the position before the first event. */
export class Migration20261123000000_initial extends Migration {
  override up(): void {
    this.addSql(`create table "counter" ("id" int not null, "seq" bigint not null, "message_id" bigint not null, primary key ("id"))`);
    this.addSql(
      `create table "event" ("seq" bigint not null, "tag" varchar(16) not null, "name" varchar(32) not null, "channel_id" bigint null, "message_id" bigint null, "payload" text null, "at" bigint not null, primary key ("seq"))`,
    );
    this.addSql(`create index "event_channel_id_seq_index" on "event" ("channel_id", "seq")`);
    this.addSql(`create index "event_message_id_index" on "event" ("message_id")`);
    this.addSql(`create table "setting" ("name" varchar(64) not null, "value" text not null, primary key ("name"))`);
    this.addSql(
      `create table "user" ("id" bigserial primary key, "username" varchar(64) not null, "username_key" varchar(64) not null, "password_hash" text not null, "admin" boolean not null default false, "created_at" bigint not null)`,
    );
    this.addSql(`alter table "user" add constraint "user_username_key_unique" unique ("username_key")`);
    this.addSql(
      `create table "session" ("id" bigserial primary key, "user_id" bigint not null, "created_at" bigint not null, "expires_at" bigint not null, constraint "session_user_id_foreign" foreign key ("user_id") references "user" ("id"))`,
    );
    this.addSql(`create index "session_user_id_index" on "session" ("user_id")`);
    this.addSql(`create index "session_expires_at_index" on "session" ("expires_at")`);
    this.addSql(
      `create table "message_key" ("user_id" bigint not null, "client_message_id" varchar(64) not null, "message_id" bigint not null, "body_hash" varchar(64) not null, primary key ("user_id", "client_message_id"), constraint "message_key_user_id_foreign" foreign key ("user_id") references "user" ("id"))`,
    );
    this.addSql(
      `create table "channel" ("id" bigserial primary key, "title" text not null, "description" text not null, "user_id" bigint null, constraint "channel_user_id_foreign" foreign key ("user_id") references "user" ("id") on delete set null)`,
    );
    this.addSql(`create index "channel_user_id_index" on "channel" ("user_id")`);
    this.addSql(
      `create table "message" ("id" bigint not null, "channel_id" bigint not null, "user_id" bigint not null, "message_text" text not null, "time" bigint not null, "edited_at" bigint null, "client_message_id" text null, primary key ("id"), constraint "message_channel_id_foreign" foreign key ("channel_id") references "channel" ("id") on delete cascade, constraint "message_user_id_foreign" foreign key ("user_id") references "user" ("id"))`,
    );
    this.addSql(`create index "message_channel_id_id_index" on "message" ("channel_id", "id")`);
    this.addSql(`create index "message_user_id_id_index" on "message" ("user_id", "id")`);

    this.addSql(
      `insert into "channel" ("id", "title", "description") values (1, 'General', 'General discussion.'), (2, 'Code', 'Electric sheep dreams.')`,
    );
    this.addSql(`select setval('channel_id_seq', 2)`);
    this.addSql(`insert into "counter" ("id", "seq", "message_id") values (1, 0, 0)`);
    this.addSql(`insert into "event" ("seq", "tag", "name", "at") values (0, '${randomTag(6)}', 'origin', ${systemClock.now()})`);
  }

  override down(): void {
    throw new Error("There is nothing before the first migration: delete the database instead.");
  }
}
