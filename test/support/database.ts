/** Databases for tests: each its own, gone afterwards. SQLite in a directory, or PostgreSQL where `KEENCHAT_TEST_DATABASE` says so. */
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import pg from "pg";

export interface TestDatabase {
  /** What goes into `DATABASE_URL`. */
  readonly url: string;
  drop(): Promise<void>;
}

/** Where tests may make databases of their own. */
export const postgresUrl = process.env["KEENCHAT_TEST_POSTGRES"] ?? "postgres://postgres@127.0.0.1:5432/postgres";
export const redisUrl = process.env["KEENCHAT_TEST_REDIS"] ?? "redis://127.0.0.1:6379";

export function createSqlite(): TestDatabase {
  const directory = mkdtempSync(join(tmpdir(), "keenchat-test-"));
  return { url: `sqlite:${join(directory, "keenchat.db")}`, drop: async () => rmSync(directory, { recursive: true, force: true }) };
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

export async function createPostgres(): Promise<TestDatabase> {
  const name = `keenchat_test_${randomBytes(6).toString("hex")}`;
  await runAsOwner(`create database ${name}`);
  const url = new URL(postgresUrl);
  url.pathname = `/${name}`;
  return {
    url: url.href,
    async drop() {
      await runAsOwner(`drop database if exists ${name} with (force)`);
    },
  };
}

/** The kind of database that this run of the suite is for. */
export async function createDatabase(): Promise<TestDatabase> {
  return process.env["KEENCHAT_TEST_DATABASE"] === "postgres" ? createPostgres() : createSqlite();
}

/** Whether this machine has no such server; the run has said so in its first line. */
export function leftOut(what: "postgres" | "redis"): boolean {
  return process.env["KEENCHAT_TEST_LEFT_OUT"]?.split(",").includes(what) ?? false;
}
