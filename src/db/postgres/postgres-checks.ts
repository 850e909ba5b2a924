/** Owns what is asked of a PostgreSQL before it is used: whether it, its database and the way to it are ones that Keenchat can work with. */
import pg from "pg";
import { ConfigError } from "../../config.ts";

const oldestVersion = 150_000;
const connectMs = 2_000;

interface Facts {
  readonly version: string;
  readonly encoding: string;
  readonly client_encoding: string;
  readonly schema: string | null;
  readonly pid: number;
}

const facts = `select current_setting('server_version_num') as version, current_setting('server_encoding') as encoding,
  current_setting('client_encoding') as client_encoding, current_schema() as schema, pg_backend_pid() as pid`;

async function readPid(client: pg.Client): Promise<number | undefined> {
  return (await client.query<{ pid: number }>("select pg_backend_pid() as pid")).rows[0]?.pid;
}

/** A pooler that lends a server's session for a transaction only lends the same one to somebody else meanwhile. */
async function isLentByTransaction(url: string, session: pg.Client, pid: number): Promise<boolean> {
  // Behind a pooler the two differ, whatever its mode.
  if ("processID" in session && session.processID === pid) return false;
  const other = new pg.Client({ connectionString: url, connectionTimeoutMillis: connectMs, query_timeout: connectMs });
  other.on("error", () => {});
  try {
    await other.connect();
    await other.query("begin");
    return (await readPid(other)) === pid || (await readPid(session)) !== pid;
  } catch {
    // No second session can be had: each keeps its own.
    return false;
  } finally {
    await other.end().catch(() => {});
  }
}

/** @throws ConfigError, or what the query fails with. */
export async function checkPostgres(url: string, session: pg.Client): Promise<void> {
  const [found] = (await session.query<Facts>(facts)).rows;
  if (!found) return;
  if (Number(found.version) < oldestVersion) throw new ConfigError("DATABASE_URL names a PostgreSQL older than 15");
  if (found.encoding !== "UTF8")
    throw new ConfigError(`DATABASE_URL names a database whose encoding is ${found.encoding}: make it with encoding 'UTF8'`);
  if (found.client_encoding !== "UTF8")
    throw new ConfigError(`DATABASE_URL leads to a client_encoding of ${found.client_encoding}: it must be UTF8`);
  if (found.schema === null) throw new ConfigError("DATABASE_URL leads to a search_path without a schema that is there");
  if (await isLentByTransaction(url, session, found.pid))
    throw new ConfigError("DATABASE_URL leads to a pooler in transaction mode: it must lend a session for as long as the connection lasts");
}
