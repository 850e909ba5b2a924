/** A channel with few messages among millions of others', on PostgreSQL, which chooses by statistics how it looks for them. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { createPostgres, type TestDatabase } from "./support/database.ts";
import { type Answer, post, request, signUp } from "./support/http.ts";
import { startServer } from "./support/server.ts";
import { until } from "./support/wait.ts";

const many = 20_000;

let database: TestDatabase;
beforeEach(async () => {
  database = await createPostgres();
});
afterEach(() => database.drop());

/** As PostgreSQL counts with some delay: index entries that it has read so far. */
const read = (index: string) => database.count(`select idx_tup_read as n from pg_stat_user_indexes where indexrelname = '${index}'`);
const ids = ({ body }: Answer): number[] => body.map(({ id }: { id: number }) => id);

test("a page of it passes over none of the others', in either direction", async () => {
  // As after some pages of a busy channel: the plan is made without knowing which channel is asked for.
  await database.execute(`alter database ${new URL(database.url).pathname.slice(1)} set plan_cache_mode = force_generic_plan`);
  await using server = await startServer({ DATABASE_URL: database.url });
  const { id: userId, token } = await signUp(server, "ann");
  const channel: number = (await request(server, "POST", "/channel", { token, body: { title: "quiet" } })).body.id;
  const quiet = [];
  for (const text of ["one", "two", "three"]) quiet.push((await post(server, token, channel, text)).body.id);
  await database.execute(`
    insert into message (id, channel_id, user_id, message_text, time)
      select message_id + k, 1, ${userId}, 'busy', 1 from counter, generate_series(1, ${many}) k;
    update counter set message_id = message_id + ${many};
    analyze message;`);
  const readBefore = { byId: await read("message_pkey"), byChannel: await read("message_channel_id_id_index") };
  const readSince = async () => ({
    byId: (await read("message_pkey")) - readBefore.byId,
    byChannel: (await read("message_channel_id_id_index")) - readBefore.byChannel,
  });

  const page = (query: string) => request(server, "GET", `/message?channel_id=${channel}${query}`);
  expect(ids(await page(""))).toEqual(quiet);
  expect(ids(await page("&limit=1"))).toEqual(quiet.slice(2));
  expect(ids(await page(`&before=${quiet[2]}`))).toEqual(quiet.slice(0, 2));
  expect(ids(await page(`&after=${quiet[0]}`))).toEqual(quiet.slice(1));
  expect(ids(await page(`&after=${quiet[2]}`))).toEqual([]);
  // Its counts come once it is idle.
  let since = await readSince();
  await until("PostgreSQL's counting", 15_000, async () => {
    since = await readSince();
    return since.byId + since.byChannel > 10;
  });
  expect(since.byId).toBeLessThan(many / 100);
});
