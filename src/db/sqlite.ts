/** Owns SQLite: one writing connection that flushes to disk at every commit, one read-only connection that sees commits only. */
import { existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { type EntityManager, MikroORM, type SqliteDriver } from "@mikro-orm/sqlite";
import BetterSqlite, { type Database as Handle, type Statement } from "better-sqlite3";
import { ConfigError } from "../config.ts";
import type { Param, Read } from "../core/context.ts";
import { AppError } from "../core/errors.ts";
import { visible } from "../core/visible.ts";
import type { Counter, Database, WriteConnection } from "./database.ts";
import { EntityWrites } from "./entity-writes.ts";
import { causesOf } from "./error-causes.ts";
import { sqliteMigrations, sqliteOptions } from "./options.ts";

/** SQLite's result codes that say "not now", not "never": the disk is full or fails, or somebody holds the file. */
const unavailable = /^SQLITE_(FULL|IOERR|BUSY|LOCKED|READONLY|CANTOPEN|CORRUPT|NOTADB|PROTOCOL|NOMEM)/;

function toAppError(error: unknown): unknown {
  for (const cause of causesOf(error)) {
    if ("code" in cause && typeof cause.code === "string" && unavailable.test(cause.code))
      return new AppError("SERVICE_UNAVAILABLE", undefined, { cause: error, retryAfterSeconds: 1 });
  }
  return error;
}

/** Prepared statements of one connection, by their text. Synchronous underneath; promises keep the drivers alike. */
class Statements implements Read {
  readonly #handle: Handle;
  readonly #cache = new Map<string, Statement>();

  constructor(handle: Handle) {
    this.#handle = handle;
  }

  prepare(sql: string): Statement {
    let statement = this.#cache.get(sql);
    if (!statement) {
      statement = this.#handle.prepare(sql);
      this.#cache.set(sql, statement);
    }
    return statement;
  }

  async all<Row>(sql: string, params: readonly Param[]): Promise<Row[]> {
    try {
      return this.prepare(sql).all(...params) as Row[];
    } catch (error) {
      throw toAppError(error);
    }
  }

  async get<Row>(sql: string, params: readonly Param[]): Promise<Row | undefined> {
    try {
      return this.prepare(sql).get(...params) as Row | undefined;
    } catch (error) {
      throw toAppError(error);
    }
  }
}

/** The ORM's calls need no transaction of its own: there is one connection, and the transaction is already open on it. */
class SqliteWriteConnection extends EntityWrites implements WriteConnection {
  readonly #statements: Statements;
  readonly #newEntityManager: () => EntityManager;
  #entityManager: EntityManager | undefined;

  constructor(handle: Handle, newEntityManager: () => EntityManager) {
    super();
    this.#statements = new Statements(handle);
    this.#newEntityManager = newEntityManager;
  }

  /** A fork for each transaction, so that no identity map outlives it. */
  begin(): void {
    this.#entityManager = undefined;
    this.run("begin immediate", []);
  }

  protected get em(): EntityManager {
    this.#entityManager ??= this.#newEntityManager();
    return this.#entityManager;
  }

  all<Row>(sql: string, params: readonly Param[]): Promise<Row[]> {
    return this.#statements.all<Row>(sql, params);
  }

  get<Row>(sql: string, params: readonly Param[]): Promise<Row | undefined> {
    return this.#statements.get<Row>(sql, params);
  }

  run(sql: string, params: readonly Param[]): void {
    this.#statements.prepare(sql).run(...params);
  }

  async findMany<Row>(table: string, columns: string, keyColumns: readonly string[], keys: readonly (readonly Param[])[]): Promise<Row[]> {
    const statement = this.#statements.prepare(
      `select ${columns} from ${visible(table)} where ${keyColumns.map((column) => `"${column}" = ?`).join(" and ")}`,
    );
    return keys.flatMap((key) => statement.all(...key) as Row[]);
  }

  insertMany<Row extends object>(table: string, rows: readonly Row[]): void {
    const [first] = rows;
    if (!first) return;
    const columns = Object.keys(first);
    const names = columns.map((column) => `"${column}"`).join(", ");
    const statement = this.#statements.prepare(
      `insert into "${table}" (${names}) values (${columns.map((column) => `@${column}`).join(", ")})`,
    );
    for (const row of rows) statement.run(row);
  }

  /** Nothing is ever on its way. */
  async flush(): Promise<void> {}

  async lockCounter(): Promise<Counter> {
    const sql = `select c.seq, c.message_id as "messageId", e.tag from counter c join event e on e.seq = c.seq where c.id = 1`;
    return this.#statements.prepare(sql).get() as Counter;
  }
}

function setPragmas(handle: Handle, wanted: Readonly<Record<string, string | number>>): void {
  for (const [name, value] of Object.entries(wanted)) {
    handle.exec(`pragma ${name} = ${value}`);
    const actual = handle.pragma(name, { simple: true });
    if (actual !== value) throw new Error(`SQLite has ${name} = ${String(actual)} where ${value} was set.`);
  }
}

const synchronousFull = 2;

/** Keeps a second process away from the same file. The handle must stay referenced: collected, it lets go of the lock. */
function lock(path: string): Handle {
  const handle = new BetterSqlite(`${path}.lock`, { timeout: 1_000 });
  try {
    handle.exec("begin exclusive");
    return handle;
  } catch (error) {
    handle.close();
    throw new ConfigError(`DATABASE_URL names a file that another Keenchat process has open: ${path}`, { cause: error });
  }
}

/**
 * Opens the file, makes it where it is missing, brings it to this version.
 * @throws ConfigError when the file cannot be opened, or another process has it.
 */
export function openSqlite(path: string): Promise<Database> {
  return openAlone(path, openLocked);
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
  let file = resolve(path);
  let held: Handle;
  try {
    mkdirSync(dirname(file), { recursive: true });
    // One file has one lock, by whatever links it is named.
    file = existsSync(file) ? realpathSync(file) : join(realpathSync(dirname(file)), basename(file));
    held = lock(file);
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    throw new ConfigError(`DATABASE_URL names a file that cannot be opened: ${(error as Error).message}`, { cause: error });
  }
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

async function openLocked(file: string, held: Handle): Promise<Database> {
  const orm = await MikroORM.init<SqliteDriver>(sqliteOptions(file));
  const handle = (await orm.em.getConnection().getNativeClient()) as Handle;
  setPragmas(handle, { journal_mode: "wal", synchronous: synchronousFull, foreign_keys: 1 });
  await orm.migrator.up();

  const reader = openReader(file);
  const connection = new SqliteWriteConnection(handle, () => orm.em.fork());

  return {
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
}

/** A database that lives as long as this process, in a private file: two connections cannot share SQLite's own `:memory:`. */
export async function openMemory(): Promise<Database> {
  const directory = mkdtempSync(join(tmpdir(), "keenchat-"));
  const database = await openSqlite(join(directory, "memory.db"));
  return {
    ...database,
    async close() {
      await database.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
