/** The migrations are the tables: they bring a database to exactly what the entities say, and can be run again. */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { MikroORM } from "@mikro-orm/core";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { postgresOptions, sqliteOptions } from "../src/db/options.ts";
import { openSqlite } from "../src/db/sqlite/sqlite.ts";
import { root } from "./support/copy.ts";
import { createSqlite, databaseKinds, type TestDatabase } from "./support/database.ts";
import { post, request, signUp } from "./support/http.ts";
import { temporaryDirectory } from "./support/process.ts";
import { startServer } from "./support/server.ts";

const timeout = 60_000;

/** `npm run migrate`, as an operator types it. */
function migrate(url: string) {
  const environment = { ...process.env, DATABASE_URL: url };
  const { status, stdout, stderr } = spawnSync("npm", ["run", "--silent", "migrate"], { cwd: root, env: environment, encoding: "utf8" });
  return { status, output: stdout + stderr };
}

/** A command of MikroORM's own, without options, as its pages say. */
function mikroOrm(command: string, url: string) {
  const environment = { ...process.env, DATABASE_URL: url, NO_COLOR: "1" };
  const { status, stdout, stderr } = spawnSync("npx", ["mikro-orm", command], { cwd: root, env: environment, encoding: "utf8" });
  return { status, stdout, stderr };
}

function openOrm(url: string): Promise<MikroORM> {
  return url.startsWith("sqlite:") ? MikroORM.init(sqliteOptions(url.slice("sqlite:".length))) : MikroORM.init(postgresOptions(url));
}

async function readTables(url: string): Promise<{ update: string; pending: string[]; executed: string[] }> {
  const orm = await openOrm(url);
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

describe.each(databaseKinds())("a database of kind $kind", { timeout }, ({ create, open }) => {
  let database: TestDatabase;
  beforeEach(async () => {
    database = await create();
  });
  afterEach(() => database.drop());

  test("that is fresh has exactly the tables of the entities", async () => {
    await (await open(database.url)).close();
    const { update, pending, executed } = await readTables(database.url);
    expect(update).toBe("");
    expect(pending).toEqual([]);
    expect(executed).not.toEqual([]);
  });

  test("is seen to differ where a table is not what its entity says", async () => {
    await (await open(database.url)).close();
    await database.execute("alter table channel add column topic text; drop index message_user_id_id_index");
    const { update } = await readTables(database.url);
    expect(update).toContain("message_user_id_id_index");
    expect(update).toContain("topic");
  });

  test("that is fresh holds the two original channels and nothing else", async () => {
    await using server = await startServer({ DATABASE_URL: database.url });
    expect((await request(server, "GET", "/channel")).body).toEqual([
      { id: 1, title: "General", description: "General discussion.", user_id: null },
      { id: 2, title: "Code", description: "Electric sheep dreams.", user_id: null },
    ]);
    expect((await request(server, "GET", "/user")).body).toEqual([]);
    expect((await request(server, "GET", "/message")).body).toEqual([]);
  });

  test("has another log than the next one, so that a cursor of one is unknown to the other", async () => {
    const next = await create();
    const [one, other] = [await startServer({ DATABASE_URL: database.url }), await startServer({ DATABASE_URL: next.url })];
    const { body } = await request(one, "GET", "/event");
    expect((await request(other, "GET", `/event?cursor=${body.cursor}`)).body.events).toMatchObject([
      { event: "resync", data: { reason: "unknown" } },
    ]);
    await Promise.all([one.close(), other.close()]);
    await next.drop();
  });

  test("gets the same tables from npm run migrate, and the server starts on them", async () => {
    expect(migrate(database.url)).toMatchObject({ status: 0 });
    const { update, pending } = await readTables(database.url);
    expect(update).toBe("");
    expect(pending).toEqual([]);
    await using server = await startServer({ DATABASE_URL: database.url });
    expect((await request(server, "GET", "/channel")).body).toHaveLength(2);
  });

  test("is known to MikroORM's command line without options", () => {
    expect(mikroOrm("migration:list", database.url)).toMatchObject({ status: 0, stderr: "" });
    expect(mikroOrm("migration:up", database.url)).toMatchObject({ status: 0, stderr: "" });
    const { stdout } = mikroOrm("migration:list", database.url);
    expect(stdout).toContain("_initial");
    expect(stdout).toContain("_removed_channel");
    expect(mikroOrm("migration:check", database.url)).toMatchObject({ status: 0, stderr: "" });
  });

  test("is left as it is by migrating again", async () => {
    const environment = { DATABASE_URL: database.url };
    const server = await startServer(environment);
    const { token } = await signUp(server, "ann");
    const posted = await post(server, token, 1, "still here");
    await request(server, "DELETE", "/channel/2", { token });
    const { body: channels } = await request(server, "GET", "/channel");
    await server.close();
    const { executed } = await readTables(database.url);

    expect(migrate(database.url)).toMatchObject({ status: 0 });
    expect(migrate(database.url)).toMatchObject({ status: 0 });
    expect((await readTables(database.url)).executed).toEqual(executed);
    await using again = await startServer(environment);
    expect((await request(again, "GET", "/message")).body).toEqual([posted.body]);
    expect((await request(again, "GET", "/channel")).body).toEqual(channels);
    expect(channels).toHaveLength(1);
  });
});

test("SQLite: npm run migrate makes the directory of the file", { timeout }, () => {
  using directory = temporaryDirectory();
  const file = `${directory.path}/new/keenchat.db`;
  expect(migrate(`sqlite:${file}`)).toMatchObject({ status: 0 });
  expect(existsSync(file)).toBe(true);
});

test("SQLite: commits are flushed to the disk, and foreign keys are held", { timeout }, async () => {
  const { url, drop } = createSqlite();
  const database = await openSqlite(url.slice("sqlite:".length));
  const pragmas = await database.transaction(async (connection) => ({
    ...(await connection.get<object>("pragma journal_mode", [])),
    ...(await connection.get<object>("pragma synchronous", [])),
    ...(await connection.get<object>("pragma foreign_keys", [])),
  }));
  const full = 2;
  expect(pragmas).toEqual({ journal_mode: "wal", synchronous: full, foreign_keys: 1 });
  await database.close();
  await drop();
});
