/** Owns what is done over one connection to SQLite: prepared statements, the writes of a transaction, and what its errors mean. */
import type { EntityManager } from "@mikro-orm/sqlite";
import type { Database as Handle, Statement } from "better-sqlite3";
import { AppError } from "../../core/errors.ts";
import type { Param, Read } from "../../core/transaction.ts";
import { visible } from "../../core/visible.ts";
import type { Counter, WriteConnection } from "../database.ts";
import { EntityWrites } from "../entity-writes.ts";
import { causesOf } from "../error-causes.ts";

/** SQLite's result codes that say "not now", not "never": the disk is full or fails, or somebody holds the file. */
export const unavailable = /^SQLITE_(FULL|IOERR|BUSY|LOCKED|READONLY|CANTOPEN|CORRUPT|NOTADB|PROTOCOL|NOMEM)/;

export function toAppError(error: unknown): unknown {
  for (const cause of causesOf(error)) {
    if ("code" in cause && typeof cause.code === "string" && unavailable.test(cause.code))
      return new AppError("SERVICE_UNAVAILABLE", undefined, { cause: error, retryAfterSeconds: 1 });
  }
  return error;
}

/** Prepared statements of one connection, by their text. Synchronous underneath; promises keep the drivers alike. */
export class Statements implements Read {
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
export class SqliteWriteConnection extends EntityWrites implements WriteConnection {
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
    const sql = `select c.seq, c.message_id, e.tag from counter c join event e on e.seq = c.seq where c.id = 1`;
    return this.#statements.prepare(sql).get() as Counter;
  }
}
