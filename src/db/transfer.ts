/**
 * Owns moving an installation from SQLite to PostgreSQL: `npm run transfer -- --from sqlite:PATH --to postgres://…`. Everything goes
 * along, ids, log and cursors included, in one transaction: a client goes on with the cursor it had.
 */
import process from "node:process";
import { parseArgs } from "node:util";
import { ConfigError, configExitCode, type DatabaseTarget, readConfig } from "../config.ts";
import type { Param, Read } from "../core/transaction.ts";
import type { WriteConnection } from "./database.ts";
import { entities } from "./entities.ts";
import { openPostgres } from "./postgres/postgres.ts";
import { openSqliteToRead } from "./sqlite/sqlite.ts";

/** Few enough that the longest messages, too, go over a slow line within a statement's time. */
const chunkRows = 100;

type Row = Record<string, Param> & { rowid_: number };

/** The tables of a source, each after those it refers to. @throws ConfigError where one of them is not of this version. */
async function listTables(from: Read): Promise<string[]> {
  const known = new Set<string>(entities.map(({ meta }) => meta.tableName));
  const listed: string[] = [];
  async function list(table: string): Promise<void> {
    if (listed.includes(table)) return;
    if (!known.has(table)) throw new ConfigError(`--from has a table that is not known: ${table}`);
    const sql = `select distinct "table" as name from pragma_foreign_key_list(?) where "table" <> ?`;
    for (const { name } of await from.all<{ name: string }>(sql, [table, table])) await list(name);
    listed.push(table);
  }
  const all = "select name from sqlite_master where type = 'table' and name not like 'sqlite\\_%' escape '\\' and name <> 'migration'";
  for (const { name } of await from.all<{ name: string }>(all, [])) await list(name);
  return listed;
}

/** Ids that the database gives out itself are given never twice: not even those of what is gone. */
async function copyHighestId(from: Read, to: WriteConnection, table: string): Promise<void> {
  const highest = await from.get<{ seq: number }>("select seq from sqlite_sequence where name = ? and seq > 0", [table]);
  const key = await from.get<{ name: string }>("select name from pragma_table_info(?) where pk = 1", [table]);
  // Where the counter row numbers them there is no sequence, and nothing to set.
  if (highest && key)
    to.run("select setval(pg_get_serial_sequence(quote_ident(?), ?)::regclass, ?::bigint)", [table, key.name, highest.seq]);
}

async function copyTable(from: Read, to: WriteConnection, table: string): Promise<number> {
  let copied = 0;
  for (let last = -1; ; ) {
    const rows = await from.all<Row>(`select rowid as rowid_, * from "${table}" where rowid > ? order by rowid limit ?`, [last, chunkRows]);
    if (rows.length === 0) return copied;
    to.insertMany(
      table,
      rows.map(({ rowid_: _, ...row }) => row),
    );
    await to.flush();
    copied += rows.length;
    last = rows.at(-1)?.rowid_ ?? last;
  }
}

/** What is wrong with an option's database says so under the option's name. */
async function named<Answer>(option: "from" | "to", answer: () => Answer): Promise<Awaited<Answer>> {
  try {
    return await answer();
  } catch (error) {
    throw error instanceof ConfigError ? new ConfigError(error.message.replace("DATABASE_URL", `--${option}`), { cause: error }) : error;
  }
}

/** Copies all into an empty PostgreSQL. @throws ConfigError where it holds something already. */
async function transfer(path: string, url: string, say: (line: string) => void): Promise<void> {
  const from = await named("from", () => openSqliteToRead(path));
  try {
    const tables = await listTables(from.read);
    const to = await named("to", () => openPostgres(url));
    try {
      await to.transaction(async (connection) => {
        const { seq } = await connection.lockCounter();
        if (seq > 0) throw new ConfigError("--to names a database that is in use already: nothing was changed.");
        // What the first migration has put there comes along with the rest.
        for (const table of tables.toReversed()) connection.run(`delete from "${table}"`, []);
        for (const table of tables) {
          say(`${table}: ${await copyTable(from.read, connection, table)} rows`);
          await copyHighestId(from.read, connection, table);
        }
      });
    } finally {
      await to.close();
    }
  } finally {
    await from.close();
  }
}

function targetOf(option: "from" | "to", value: string | undefined): Promise<DatabaseTarget> {
  if (value === undefined) throw new ConfigError(`--${option} is missing: npm run transfer -- --from sqlite:PATH --to postgres://…`);
  return named(option, () => readConfig({ DATABASE_URL: value }).database);
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { from: { type: "string" }, to: { type: "string" } } });
  const from = await targetOf("from", values.from);
  const to = await targetOf("to", values.to);
  if (from.kind !== "sqlite") throw new ConfigError("--from must be sqlite:PATH");
  if (to.kind !== "postgres") throw new ConfigError("--to must be postgres://…");
  await transfer(from.path, to.url, (line) => process.stdout.write(`${line}\n`));
  process.stdout.write("Done. Start with the new DATABASE_URL; the old file was not changed.\n");
}

if (import.meta.main) {
  main().catch((error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = error instanceof ConfigError ? configExitCode : 1;
  });
}
