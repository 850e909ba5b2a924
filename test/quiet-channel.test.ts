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

/** As PostgreSQL counts, with some delay: how often an index of the messages was walked so far, and how many entries were read. */
async function walked() {
  const count = (column: string) => database.count(`select sum(${column}) as n from pg_stat_user_indexes where relname = 'message'`);
  return { walks: await count("idx_scan"), entries: await count("idx_tup_read") };
}

const ids = ({ body }: Answer): number[] => body.map(({ id }: { id: number }) => id);

test("a page of it, or of somebody who says little, passes over none of the others', in either direction", async () => {
  // As after some pages of a busy channel: plans are made without knowing what is asked for.
  await database.execute(`alter database ${new URL(database.url).pathname.slice(1)} set plan_cache_mode = force_generic_plan`);
  await using server = await startServer({ DATABASE_URL: database.url });
  const ann = await signUp(server, "ann");
  const bob = await signUp(server, "bob");
  const channel: number = (await request(server, "POST", "/channel", { token: ann.token, body: { title: "quiet" } })).body.id;
  const quiet: number[] = [];
  for (const text of ["one", "two", "three"]) quiet.push((await post(server, ann.token, channel, text)).body.id);
  await database.execute(`
    insert into message (id, channel_id, user_id, message_text, time)
      select message_id + k, 1, ${bob.id}, 'busy', 1 from counter, generate_series(1, ${many}) k;
    update counter set message_id = message_id + ${many};
    analyze message;`);
  const before = await walked();

  const page = async (query: string) => ids(await request(server, "GET", `/message?${query}`));
  for (const filter of [`channel_id=${channel}`, `user_id=${ann.id}`, `channel_id=${channel}&user_id=${ann.id}`]) {
    expect(await page(filter)).toEqual(quiet);
    expect(await page(`${filter}&limit=1`)).toEqual(quiet.slice(2));
    expect(await page(`${filter}&before=${quiet[2]}`)).toEqual(quiet.slice(0, 2));
    expect(await page(`${filter}&after=${quiet[0]}`)).toEqual(quiet.slice(1));
    expect(await page(`${filter}&after=${quiet[2]}`)).toEqual([]);
  }
  const inBusy = `channel_id=1&user_id=${ann.id}`;
  expect(await page(inBusy)).toEqual([]);
  expect(await page(`${inBusy}&after=0`)).toEqual([]);
  expect(await page(`${inBusy}&before=${quiet[2]}`)).toEqual([]);
  // Each of the 18 pages is a walk, and of those with a bound there is one more, for the neighbours.
  let now = before;
  await until("PostgreSQL's counting", 15_000, async () => {
    now = await walked();
    return now.walks - before.walks >= 25;
  });
  expect(now.entries - before.entries).toBeLessThan(many / 100);
});
