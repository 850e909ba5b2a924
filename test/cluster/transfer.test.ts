/** `npm run transfer`, as an operator types it: what goes along, however much there is, and what it refuses. */
import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { entities } from "../../src/db/entities.ts";
import { openSqlite } from "../../src/db/sqlite/sqlite.ts";
import { createPostgres, createSqlite, postgresUrl, type TestDatabase } from "../support/database.ts";
import { post, request, signUp } from "../support/http.ts";
import { temporaryDirectory } from "../support/process.ts";
import { startServer } from "../support/server.ts";

const run = promisify(execFile);
const transferFile = fileURLToPath(new URL("../../src/db/transfer.ts", import.meta.url));
const timeout = 90_000;

/** Where a source that should have been refused would end too. */
const nowhere = Object.assign(new URL(postgresUrl), { pathname: "/keenchat_test_nowhere" }).href;
const fileOf = ({ url }: TestDatabase) => url.slice("sqlite:".length);

function transfer(from: string, to: string): Promise<{ code?: number; stdout: string; stderr: string }> {
  return run(process.execPath, [transferFile, "--from", from, "--to", to]).catch((error) => error);
}

test("everything moves from SQLite to PostgreSQL: tokens, ids, the log, and the cursor a client had", { timeout }, async () => {
  const [sqlite, postgres] = [createSqlite(), await createPostgres()];
  const before = await startServer({ DATABASE_URL: sqlite.url });
  const { token } = await signUp(before, "ann");
  const first = await post(before, token, 1, "first");
  const { cursor } = (await request(before, "GET", "/event")).body;
  const text = "line\nbreak 🙂 {\"a\",'b'} \\ NULL";
  await post(before, token, 2, text);
  const made = await request(before, "POST", "/channel", { token, body: { title: "gone" } });
  await request(before, "DELETE", `/channel/${made.body.id}`, { token });
  const unswept = await request(before, "POST", "/channel", { token, body: { title: "removed, and not swept yet" } });
  const replay = await request(before, "GET", `/event?cursor=${cursor}`);
  const messages = await request(before, "GET", "/message");
  await before.close();
  await sqlite.execute(`insert into removed_channel (channel_id, seq) select ${unswept.body.id}, seq + 1 from counter`);

  const file = readFileSync(fileOf(sqlite));
  expect(await transfer(sqlite.url, postgres.url)).toMatchObject({ stderr: "" });
  expect(readFileSync(fileOf(sqlite)).equals(file)).toBe(true);
  await using after = await startServer({ DATABASE_URL: postgres.url });
  expect((await request(after, "GET", "/message")).body).toEqual(messages.body);
  expect((await request(after, "GET", `/channel/${unswept.body.id}`)).status).toBe(404);
  const { events } = replay.body;
  expect(events.at(-1)).toMatchObject({ event: "post channel", data: unswept.body });
  expect((await request(after, "GET", `/event?cursor=${cursor}`)).body).toEqual({ ...replay.body, events: events.slice(0, -1) });
  const next = await post(after, token, 1, "next");
  expect(next.status).toBe(201);
  expect(next.body.id).toBe(messages.body.at(-1).id + 1);
  expect(next.body.user_id).toBe(first.body.user_id);
  const channel = await request(after, "POST", "/channel", { token, body: { title: "new" } });
  expect(channel.body.id).toBeGreaterThan(made.body.id);

  expect(await transfer(sqlite.url, postgres.url)).toMatchObject({
    code: 78,
    stderr: "--to names a database that is in use already: nothing was changed.\n",
  });
  await after.close();
  await Promise.all([sqlite.drop(), postgres.drop()]);
});

const many = 200_000;

/** Many messages of one user, and the events that tell of them, behind what is there. */
async function fill(database: TestDatabase, userId: number): Promise<void> {
  const rows = `with recursive r(k) as (select 1 union all select k + 1 from r where k < ${many})`;
  const message = `'{"id":' || (c.message_id + k) || ',"channel_id":1,"user_id":${userId},"message_text":"' || k || '","time":1}'`;
  await database.execute(`
    insert into message (id, channel_id, user_id, message_text, time)
      ${rows} select c.message_id + k, 1, ${userId}, cast(k as text), 1 from r, counter c;
    insert into event (seq, tag, name, channel_id, message_id, payload, at)
      ${rows} select c.seq + k, 'filled', 'post message', 1, c.message_id + k, ${message}, ${Date.now()} from r, counter c;
    update counter set seq = seq + ${many}, message_id = message_id + ${many};`);
}

test("200,000 messages go along, each at its id and its position", { timeout }, async () => {
  const [sqlite, postgres] = [createSqlite(), await createPostgres()];
  const before = await startServer({ DATABASE_URL: sqlite.url });
  const { id: userId, token } = await signUp(before, "ann");
  const { cursor } = (await request(before, "GET", "/event")).body;
  const first: number = (await post(before, token, 1, "first")).body.id;
  await before.close();
  await fill(sqlite, userId);

  const { stdout, stderr } = await transfer(sqlite.url, postgres.url);
  expect(stderr).toBe("");
  expect(stdout).toContain(`message: ${many + 1} rows\n`);
  const sums = [
    "select count(*) as n from message",
    "select sum(id * (length(message_text) + 1)) as n from message",
    "select sum(seq * message_id) as n from event",
    "select sum(length(payload)) as n from event",
    "select seq + message_id as n from counter",
  ];
  for (const sum of sums) expect(await postgres.count(sum), sum).toBe(await sqlite.count(sum));

  await using after = await startServer({ DATABASE_URL: postgres.url });
  const { body } = await request(after, "GET", `/event?cursor=${cursor}&limit=3`);
  const told = body.events.map(({ event, data }: { event: string; data: { id: number } }) => [event, data.id]);
  expect(told).toEqual([0, 1, 2].map((index) => ["post message", first + index]));
  expect((await request(after, "GET", `/message/${first + many}`)).body).toMatchObject({ message_text: String(many), user_id: userId });
  expect((await post(after, token, 1, "next")).body.id).toBe(first + many + 1);
  await after.close();
  await Promise.all([sqlite.drop(), postgres.drop()]);
});

test("a source that is not there is refused in one line, and not made", { timeout }, async () => {
  using directory = temporaryDirectory();
  const file = join(directory.path, "data/typo.db");
  expect(await transfer(`sqlite:${file}`, nowhere)).toMatchObject({
    code: 78,
    stdout: "",
    stderr: `--from names a file that is not there: ${file}\n`,
  });
  expect(readdirSync(directory.path)).toEqual([]);
});

test.each([
  ["of an older version", "drop table removed_channel; delete from migration where name like '%removed_channel'"],
  ["of a newer version", "insert into migration (name) values ('Migration21000101000000_later')"],
  ["of another program", "drop table migration"],
])("a source %s is refused in one line, and stays as it is", { timeout }, async (_, change) => {
  const sqlite = createSqlite();
  await (await openSqlite(fileOf(sqlite))).close();
  await sqlite.execute(change);
  const file = readFileSync(fileOf(sqlite));
  expect(await transfer(sqlite.url, nowhere)).toMatchObject({
    code: 78,
    stdout: "",
    stderr: `--from names no database of this version: ${fileOf(sqlite)} (npm run migrate brings an older one to it)\n`,
  });
  expect(readFileSync(fileOf(sqlite)).equals(file)).toBe(true);
  await sqlite.drop();
});

test("a table that this version does not know is named, and nothing is moved", { timeout }, async () => {
  const [sqlite, postgres] = [createSqlite(), await createPostgres()];
  await (await openSqlite(fileOf(sqlite))).close();
  await sqlite.execute("create table bookmark (id integer primary key)");
  expect(await transfer(sqlite.url, postgres.url)).toMatchObject({
    code: 78,
    stdout: "",
    stderr: "--from has a table that is not known: bookmark\n",
  });
  await Promise.all([sqlite.drop(), postgres.drop()]);
});

test("every table goes along", { timeout }, async () => {
  const [sqlite, postgres] = [createSqlite(), await createPostgres()];
  await (await openSqlite(fileOf(sqlite))).close();
  const { stdout, stderr } = await transfer(sqlite.url, postgres.url);
  expect(stderr).toBe("");
  for (const { meta } of entities) expect(stdout).toContain(`${meta.tableName}: `);
  await Promise.all([sqlite.drop(), postgres.drop()]);
});

test("a source that a server has open is refused in one line", { timeout }, async () => {
  const sqlite = createSqlite();
  await using server = await startServer({ DATABASE_URL: sqlite.url });
  const { code, stderr } = await transfer(sqlite.url, nowhere);
  expect(code).toBe(78);
  expect(stderr).toMatch(/^--from names a file that another Keenchat process has open: .+\n$/);
  await server.close();
  await sqlite.drop();
});

test("a target that can never be reached is refused in one line", { timeout }, async () => {
  const sqlite = createSqlite();
  await (await openSqlite(fileOf(sqlite))).close();
  const { code, stderr } = await transfer(sqlite.url, nowhere);
  expect(code).toBe(78);
  expect(stderr).toMatch(/^--to cannot be used: .+\n$/);
  await sqlite.drop();
});
