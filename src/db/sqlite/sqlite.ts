/** Owns SQLite: one writing connection that flushes to disk at every commit, one read-only connection that sees commits only. */
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { isDeepStrictEqual } from "node:util";
import { MikroORM, type SqliteDriver } from "@mikro-orm/sqlite";
import BetterSqlite, { type Database as Handle } from "better-sqlite3";
import { ConfigError } from "../../config.ts";
import type { Database } from "../database.ts";
import { sqliteMigrations, sqliteOptions } from "../options.ts";
import { SqliteWriteConnection, Statements, toAppError, unavailable } from "./sqlite-connection.ts";
import { holdSqliteFile } from "./sqlite-file.ts";
import { ChangeLog, discardNote } from "./sqlite-log.ts";

function setPragmas(handle: Handle, wanted: Readonly<Record<string, string | number>>): void {
  for (const [name, value] of Object.entries(wanted)) {
    handle.exec(`pragma ${name} = ${value}`);
    const actual = handle.pragma(name, { simple: true });
    if (actual !== value) throw new Error(`SQLite has ${name} = ${String(actual)} where ${value} was set.`);
  }
}

const synchronousFull = 2;

/**
 * Opens the file, makes it where it is missing, brings it to this version.
 * @throws ConfigError when the file cannot be opened, or another process has it.
 */
export function openSqlite(path: string): Promise<Database> {
  return openAlone(path, async (file, held) => {
    // It was compared. Migrations change the file without one.
    discardNote(file);
    const { database, handle } = await openLocked(file, held);
    const changes = new ChangeLog(handle, file);
    changes.checkpoint();
    return {
      ...database,
      async transaction(work) {
        const result = await database.transaction(work);
        changes.committed();
        return result;
      },
      async close() {
        await database.close();
        changes.close();
      },
    };
  });
}

/**
 * Opens a file to be read as it is: nothing in it is changed, nor can be meanwhile.
 * @throws ConfigError also when it is not there, or not of this version.
 */
export async function openSqliteToRead(path: string): Promise<Pick<Database, "read" | "close">> {
  if (!existsSync(path)) throw new ConfigError(`DATABASE_URL names a file that is not there: ${path}`);
  return openAlone(path, readLocked);
}

async function openAlone<Opened>(path: string, open: (file: string, held: Handle) => Promise<Opened>): Promise<Opened> {
  const { file, held } = holdSqliteFile(path);
  try {
    return await open(file, held);
  } catch (error) {
    held.close();
    const sqliteCode = (error as { code?: unknown }).code;
    if (typeof sqliteCode === "string" && unavailable.test(sqliteCode)) {
      throw new ConfigError(`DATABASE_URL names a file that cannot be used: ${(error as Error).message}`, { cause: error });
    }
    throw error;
  }
}

function openReader(file: string): Handle {
  const reader = new BetterSqlite(file, { readonly: true, timeout: 100 });
  setPragmas(reader, { cache_size: -16_384 });
  return reader;
}

/** The migrations that made a file what it is. */
function migrationsOf(reader: Handle): unknown[] {
  const migrated = reader.prepare("select 1 from sqlite_master where name = 'migration'").get();
  return migrated ? reader.prepare("select name from migration order by name").pluck().all() : [];
}

async function readLocked(file: string, held: Handle): Promise<Pick<Database, "read" | "close">> {
  const reader = openReader(file);
  try {
    if (!isDeepStrictEqual(migrationsOf(reader), sqliteMigrations()))
      throw new ConfigError(`DATABASE_URL names no database of this version: ${file} (npm run migrate brings an older one to it)`);
  } catch (error) {
    reader.close();
    throw error;
  }
  return {
    read: new Statements(reader),
    async close() {
      reader.close();
      held.close();
    },
  };
}

async function openLocked(file: string, held: Handle): Promise<{ database: Database; handle: Handle }> {
  const orm = await MikroORM.init<SqliteDriver>(sqliteOptions(file));
  const handle = (await orm.em.getConnection().getNativeClient()) as Handle;
  setPragmas(handle, { journal_mode: "wal", synchronous: synchronousFull, foreign_keys: 1 });
  await orm.migrator.up();

  const reader = openReader(file);
  const connection = new SqliteWriteConnection(handle, () => orm.em.fork());

  const database: Database = {
    read: new Statements(reader),
    shared: false,
    async transaction(work) {
      try {
        connection.begin();
        const result = await work(connection);
        connection.run("commit", []);
        return result;
      } catch (error) {
        // A full disk can have ended the transaction already.
        if (handle.inTransaction) handle.exec("rollback");
        throw toAppError(error);
      }
    },
    async close() {
      reader.close();
      await orm.close();
      held.close();
    },
  };
  return { database, handle };
}

/**
 * A database that lives as long as this process, in a file without a name: two connections cannot share SQLite's own `:memory:`, and
 * nothing is left of this one, however the process ends.
 */
export function openMemory(): Promise<Database> {
  const directory = mkdtempSync(join(tmpdir(), "keenchat-"));
  // On Windows a file that is open keeps its name until it is closed.
  const forget = () => rmSync(directory, { recursive: true, force: true });
  return openAlone(join(directory, "memory.db"), async (file, held) => {
    const { database } = await openLocked(file, held);
    if (process.platform !== "win32") forget();
    return {
      ...database,
      async close() {
        await database.close();
        forget();
      },
    };
  });
}
