/** The migrations are the tables: they bring a database to exactly what the entities say, and can be run again. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { MikroORM } from "@mikro-orm/sqlite";
import { afterEach, beforeEach, expect, test } from "vitest";
import { sqliteOptions } from "../src/db/options.ts";
import { openSqlite } from "../src/db/sqlite.ts";
import { root } from "./support/copy.ts";
import { post, request, signUp } from "./support/http.ts";
import { temporaryDirectory } from "./support/process.ts";
import { startServer } from "./support/server.ts";

const timeout = 60_000;

let directory: ReturnType<typeof temporaryDirectory>;
let file: string;
beforeEach(() => {
  directory = temporaryDirectory();
  file = join(directory.path, "new", "keenchat.db");
});
afterEach(() => directory[Symbol.dispose]());

async function readTables(): Promise<{ update: string; pending: string[]; executed: string[] }> {
  const orm = await MikroORM.init(sqliteOptions(file));
  try {
    const names = (migrations: { name: string }[]) => migrations.map(({ name }) => name);
    return {
      update: await orm.schema.getUpdateSchemaSQL(),
      pending: names(await orm.migrator.getPending()),
      executed: names(await orm.migrator.getExecuted()),
    };
  } finally {
    await orm.close(true);
  }
}

/** `npm run migrate`, as an operator types it. */
function migrate() {
  const environment = { ...process.env, DATABASE_URL: `sqlite:${file}` };
  const { status, stdout, stderr } = spawnSync("npm", ["run", "--silent", "migrate"], { cwd: root, env: environment, encoding: "utf8" });
  return { status, output: stdout + stderr };
}

test("a fresh database has exactly the tables of the entities", { timeout }, async () => {
  await (await openSqlite(file)).close();
  const { update, pending, executed } = await readTables();
  expect(update).toBe("");
  expect(pending).toEqual([]);
  expect(executed).not.toEqual([]);
});

test("a table that differs from its entity is seen", { timeout }, async () => {
  await (await openSqlite(file)).close();
  const orm = await MikroORM.init(sqliteOptions(file));
  await orm.em.getConnection().execute("alter table channel add column topic text");
  await orm.em.getConnection().execute("drop index message_user_id_id_index");
  await orm.close(true);
  const { update } = await readTables();
  expect(update).toContain("message_user_id_id_index");
  expect(update).toContain("topic");
});

test("a fresh database holds the two original channels and nothing else", { timeout }, async () => {
  await using server = await startServer({ DATABASE_URL: `sqlite:${file}` });
  expect((await request(server, "GET", "/channel")).body).toEqual([
    { id: 1, title: "General", description: "General discussion.", user_id: null },
    { id: 2, title: "Code", description: "Electric sheep dreams.", user_id: null },
  ]);
  expect((await request(server, "GET", "/user")).body).toEqual([]);
  expect((await request(server, "GET", "/message")).body).toEqual([]);
});

test("two fresh databases have different logs, so that a cursor of one is unknown to the other", { timeout }, async () => {
  await using one = await startServer();
  await using other = await startServer();
  const { body } = await request(one, "GET", "/event");
  expect((await request(other, "GET", `/event?cursor=${body.cursor}`)).body.events).toMatchObject([
    { event: "resync", data: { reason: "unknown" } },
  ]);
});

test("commits are flushed to the disk, and foreign keys are held", { timeout }, async () => {
  const database = await openSqlite(file);
  const pragmas = await database.transaction(async (connection) => ({
    ...(await connection.get<object>("pragma journal_mode", [])),
    ...(await connection.get<object>("pragma synchronous", [])),
    ...(await connection.get<object>("pragma foreign_keys", [])),
  }));
  const full = 2;
  expect(pragmas).toEqual({ journal_mode: "wal", synchronous: full, foreign_keys: 1 });
  await database.close();
});

test("npm run migrate makes the same tables, and the server starts on them", { timeout }, async () => {
  expect(migrate()).toMatchObject({ status: 0 });
  const { update, pending } = await readTables();
  expect(update).toBe("");
  expect(pending).toEqual([]);
  await using server = await startServer({ DATABASE_URL: `sqlite:${file}` });
  expect((await request(server, "GET", "/channel")).body).toHaveLength(2);
});

test("migrating again leaves everything as it is", { timeout }, async () => {
  const environment = { DATABASE_URL: `sqlite:${file}` };
  const server = await startServer(environment);
  const { token } = await signUp(server, "ann");
  const posted = await post(server, token, 1, "still here");
  await request(server, "DELETE", "/channel/2", { token });
  const { body: channels } = await request(server, "GET", "/channel");
  const { executed } = await readTables();
  await server.close();

  expect(migrate()).toMatchObject({ status: 0 });
  expect(migrate()).toMatchObject({ status: 0 });
  expect((await readTables()).executed).toEqual(executed);
  await using again = await startServer(environment);
  expect((await request(again, "GET", "/message")).body).toEqual([posted.body]);
  expect((await request(again, "GET", "/channel")).body).toEqual(channels);
  expect(channels).toHaveLength(1);
});
