/** Owns PostgreSQL: connections that read, and one that writes. */
import { type EntityManager, MikroORM } from "@mikro-orm/postgresql";
import pg from "pg";
import { ConfigError } from "../../config.ts";
import type { Param } from "../../core/transaction.ts";
import { visible } from "../../core/visible.ts";
import type { Counter, Database, WriteConnection } from "../database.ts";
import { EntityWrites } from "../entity-writes.ts";
import { postgresOptions } from "../options.ts";
import { farewell } from "./farewell.ts";
import { migrate } from "./migrate.ts";
import type { PostgresConnection, Value } from "./postgres-connection.ts";
import { hopelessAnswer, toAppError } from "./postgres-errors.ts";
import { PostgresLink } from "./postgres-link.ts";
import { PostgresRead } from "./postgres-read.ts";

/** PostgreSQL's names for the types of columns, to unpack a set of rows from one array a column. */
type ColumnTypes = ReadonlyMap<string, "bigint" | "boolean" | "text">;

function columnTypes(orm: MikroORM): ColumnTypes {
  return new Map(
    [...orm.getMetadata().getAll().values()].flatMap((meta) =>
      meta.props.flatMap(({ fieldNames = [], columnTypes: [type = "text"] }) => {
        const known = /^(big|small)?int|^serial|^bigserial/.test(type) ? "bigint" : type.startsWith("bool") ? "boolean" : "text";
        return fieldNames.map((name) => [`${meta.tableName}.${name}`, known] as const);
      }),
    ),
  );
}

class PostgresWriteConnection extends EntityWrites implements WriteConnection {
  readonly #connection: PostgresConnection;
  readonly #types: ColumnTypes;
  readonly #newEntityManager: () => EntityManager;
  #entityManager: EntityManager | undefined;
  readonly #begun: Promise<unknown>;
  /** Statements that nobody waits for; a flush does, and the commit. */
  readonly #sent: Promise<unknown>[] = [];
  #failure: unknown;

  constructor(connection: PostgresConnection, types: ColumnTypes, newEntityManager: () => EntityManager) {
    super();
    this.#connection = connection;
    this.#types = types;
    this.#newEntityManager = newEntityManager;
    // Not waited for: what follows goes the same way behind it. What is read behind the lock must be what was committed before it.
    this.#begun = this.#note(connection.sendText("begin isolation level read committed"));
    this.#begun.catch(() => {});
  }

  /** Why the transaction failed: the refusal of the first statement that was. Those behind it were refused because of it. */
  get failure(): unknown {
    return this.#failure;
  }

  async #note<Answer>(answer: Promise<Answer>): Promise<Answer> {
    try {
      return await answer;
    } catch (error) {
      this.#failure ??= error;
      throw error;
    }
  }

  protected get em(): EntityManager {
    if (!this.#entityManager) {
      this.#entityManager = this.#newEntityManager();
      const executeQuery = async ({ sql }: { sql: string }) => {
        const { rows, rowCount } = await this.#note(this.#connection.sendText(sql));
        return { rows, numAffectedRows: BigInt(rowCount ?? 0) };
      };
      this.#entityManager.setTransactionContext({ executeQuery });
    }
    return this.#entityManager;
  }

  async all<Row>(sql: string, params: readonly Value[]): Promise<Row[]> {
    return (await this.#note(this.#connection.send<Row>(sql, params))).rows;
  }

  async get<Row>(sql: string, params: readonly Param[]): Promise<Row | undefined> {
    return (await this.all<Row>(sql, params))[0];
  }

  run(sql: string, params: readonly Value[]): void {
    const answer = this.#note(this.#connection.send(sql, params));
    // It fails the commit; until then nobody listens.
    answer.catch(() => {});
    this.#sent.push(answer);
  }

  async flush(): Promise<void> {
    await Promise.all(this.#sent.splice(0));
  }

  async commit(): Promise<void> {
    const committed = this.#connection.sendText("commit");
    const [{ command }] = await Promise.all([committed, this.flush()]);
    // A transaction that has failed is rolled back by `commit`, which is no error to PostgreSQL.
    if (command !== "COMMIT") throw new Error("The transaction could not be committed.");
  }

  async findMany<Row>(table: string, columns: string, keyColumns: readonly string[], keys: readonly (readonly Param[])[]): Promise<Row[]> {
    if (keys.length === 0) return [];
    const names = keyColumns.map((column) => `"${column}"`).join(", ");
    return this.all<Row>(
      `select ${columns} from ${visible(table)} where (${names}) in (select * from ${this.#unnest(table, keyColumns)})`,
      keyColumns.map((_, index) => keys.map((key) => key[index] ?? null)),
    );
  }

  insertMany<Row extends object>(table: string, rows: readonly Row[]): void {
    const [first] = rows;
    if (!first) return;
    const columns = Object.keys(first) as (keyof Row & string)[];
    const names = columns.map((column) => `"${column}"`).join(", ");
    this.run(
      `insert into "${table}" (${names}) select * from ${this.#unnest(table, columns)}`,
      columns.map((column) => rows.map((row) => row[column] as Param)),
    );
  }

  async lockCounter(): Promise<Counter> {
    // An event of a writer that this one waited for came after the statement began, so it is not seen; the row that was locked is.
    const sql = `select seq, message_id, (select tag from event where event.seq = counter.seq) as tag from counter where id = 1 for update`;
    // Without a transaction around it the lock would be none.
    const [counter] = await Promise.all([this.get<Counter>(sql, []), this.#begun]);
    if (!counter) throw new Error("The counter row is missing: the database is not a Keenchat database.");
    return counter;
  }

  #unnest(table: string, columns: readonly string[]): string {
    return `unnest(${columns.map((column) => `?::${this.#types.get(`${table}.${column}`) ?? "text"}[]`).join(", ")})`;
  }
}

/** Where the database is, for a message: never the password. */
function nameOf(url: string): string {
  const { hostname, port, pathname } = new URL(url);
  return `${hostname || "localhost"}${port && `:${port}`}${pathname}`;
}

/** @throws ConfigError for what the driver cannot read: a file of a certificate that is not there, for example. */
function checkUrl(url: string): void {
  try {
    new pg.Client({ connectionString: url });
  } catch (error) {
    throw new ConfigError(`DATABASE_URL cannot be used: ${(error as Error).message} (${nameOf(url)})`, { cause: error });
  }
}

/**
 * Opens the database and brings it to this version.
 * @throws ConfigError when it can never work; AppError SERVICE_UNAVAILABLE when it may work later.
 */
export async function openPostgres(url: string): Promise<Database> {
  checkUrl(url);
  const orm = await MikroORM.init(postgresOptions(url));
  try {
    await migrate(url, orm);
  } catch (error) {
    await farewell(orm.close());
    if (error instanceof ConfigError) throw error;
    const answer = hopelessAnswer(error);
    if (answer !== undefined) throw new ConfigError(`DATABASE_URL cannot be used: ${answer} (${nameOf(url)})`, { cause: error });
    throw toAppError(error);
  }
  const types = columnTypes(orm);
  const read = new PostgresRead(url);
  const writeLink = new PostgresLink(url, "write");

  return {
    read,
    shared: true,
    async transaction(work) {
      try {
        const connection = await writeLink.connect();
        const open = new PostgresWriteConnection(connection, types, () => orm.em.fork());
        try {
          const result = await work(open);
          await open.commit();
          return result;
        } catch (error) {
          await connection.sendText("rollback").catch(() => {});
          throw open.failure ?? error;
        }
      } catch (error) {
        throw toAppError(error);
      }
    },
    close: () => farewell(writeLink.close(), read.close(), orm.close()),
  };
}
