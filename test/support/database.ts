/**
 * Databases for tests: each its own, gone afterwards. `KEENCHAT_TEST_DATABASE=postgres` and `KEENCHAT_TEST_BUS=redis` run the suite
 * over those; otherwise it is SQLite in a directory, and a bus in memory.
 */
import { randomBytes } from "node:crypto";
import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import BetterSqlite from "better-sqlite3";
import pg from "pg";
import { openPostgres } from "../../src/db/postgres/postgres.ts";
import { openSqlite } from "../../src/db/sqlite/sqlite.ts";
import { leftOut, postgresUrl, redisUrl } from "./services.ts";

export interface TestDatabase {
  /** What goes into `DATABASE_URL`. */
  readonly url: string;
  /** Another one with the same in it, as from a backup. Nobody may have this one open. */
  copy(): Promise<TestDatabase>;
  /** Runs SQL without the server. */
  execute(sql: string): Promise<unknown>;
  /** The number that a query answers with, in its only column `n`. */
  count(sql: string): Promise<number>;
  drop(): Promise<void>;
}

export { postgresUrl };

export function createSqlite(): TestDatabase {
  const directory = mkdtempSync(join(tmpdir(), "keenchat-test-"));
  const file = join(directory, "keenchat.db");
  return {
    url: `sqlite:${file}`,
    async copy() {
      const copy = createSqlite();
      copyFileSync(file, copy.url.slice("sqlite:".length));
      return copy;
    },
    async execute(sql) {
      const database = new BetterSqlite(file);
      database.exec(sql);
      database.close();
    },
    async count(sql) {
      const database = new BetterSqlite(file, { readonly: true });
      const { n } = database.prepare(sql).get() as { n: number };
      database.close();
      return n;
    },
    async drop() {
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** Runs one statement as the owner of the test databases. */
export async function runAsOwner(sql: string, url = postgresUrl): Promise<pg.QueryResult> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return await client.query(sql);
  } finally {
    await client.end();
  }
}

/** On the tests' own server where no other is named. */
export async function createPostgres({ template = "template1", serverUrl = postgresUrl } = {}): Promise<TestDatabase> {
  const name = `keenchat_test_${randomBytes(6).toString("hex")}`;
  await runAsOwner(`create database ${name} template ${template}`, serverUrl);
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  return {
    url: url.href,
    copy: () => createPostgres({ template: name, serverUrl }),
    execute: (sql) => runAsOwner(sql, url.href),
    count: async (sql) => Number((await runAsOwner(sql, url.href)).rows[0].n),
    async drop() {
      await runAsOwner(`drop database if exists ${name} with (force)`, serverUrl);
    },
  };
}

/** Every kind there is on this machine, for suites that hold each of them to the same sentences. */
export function databaseKinds() {
  return [
    { kind: "sqlite", shared: false, create: async () => createSqlite(), open: (url: string) => openSqlite(url.slice("sqlite:".length)) },
    ...(leftOut("postgres") ? [] : [{ kind: "postgres", shared: true, create: () => createPostgres(), open: openPostgres }]),
  ];
}

/** A database of the kind that this run of the suite is for. */
export async function createDatabase(): Promise<TestDatabase> {
  return process.env["KEENCHAT_TEST_DATABASE"] === "postgres" ? createPostgres() : createSqlite();
}

/** The bus that this run is for, as a server's environment. Its channel is named after its secret, so that no two installations meet. */
export const busOfThisRun: Record<string, string> = process.env["KEENCHAT_TEST_BUS"] === "redis" ? { REDIS_URL: redisUrl } : {};
