/** Owns databases for one measurement each: made on PostgreSQL, asked what they cost, dropped afterwards. */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect } from "node:net";
import process from "node:process";
import pg from "pg";
import { processCpuMs } from "./machine.ts";

/** Where databases may be made, and Redis: both on this machine, so that their processor time can be read. */
export const postgresUrl = process.env["BENCH_POSTGRES"] ?? "postgres://postgres@127.0.0.1:5432/postgres";
export const redisUrl = process.env["BENCH_REDIS"] ?? "redis://127.0.0.1:6379";

async function query<Row extends pg.QueryResultRow>(url: string, sql: string): Promise<Row[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Row>(sql)).rows;
  } finally {
    await client.end();
  }
}

/** What of the two does not take connections. */
export async function whatIsAway(): Promise<string[]> {
  const takesConnections = async (url: string, usualPort: number) => {
    const { hostname, port } = new URL(url);
    const socket = connect({ host: hostname, port: Number(port || usualPort) });
    const taken = await once(socket, "connect").then(
      () => true,
      () => false,
    );
    socket.destroy();
    return taken;
  };
  const [postgres, redis] = await Promise.all([takesConnections(postgresUrl, 5432), takesConnections(redisUrl, 6379)]);
  return [...(postgres ? [] : ["PostgreSQL"]), ...(redis ? [] : ["Redis"])];
}

/** What a database has done since it was made. */
export interface DatabaseUsage {
  /** Processor time of the connections that are open now. */
  readonly cpuMs: number;
  /** Transactions that posted. */
  readonly transactions: number;
  readonly messages: number;
}

export class ScratchDatabase {
  readonly url: string;
  readonly #name: string;

  private constructor(name: string) {
    this.#name = name;
    const url = new URL(postgresUrl);
    url.pathname = `/${name}`;
    this.url = url.href;
  }

  static async create(): Promise<ScratchDatabase> {
    const name = `keenchat_bench_${randomBytes(6).toString("hex")}`;
    await query(postgresUrl, `create database ${name}`);
    return new ScratchDatabase(name);
  }

  async usage(): Promise<DatabaseUsage> {
    const client = new pg.Client({ connectionString: this.url });
    await client.connect();
    try {
      const { rows: backends } = await client.query<{ pid: number }>(
        "select pid from pg_stat_activity where datname = current_database() and backend_type = 'client backend' and pid <> pg_backend_pid()",
      );
      const { rows } = await client.query<{ transactions: string; messages: string }>(
        "select count(distinct xmin::text) as transactions, count(*) as messages from event where name = 'post message'",
      );
      const cpuMs = backends.reduce((sum, { pid }) => sum + processCpuMs(pid), 0);
      return { cpuMs, transactions: Number(rows[0]?.transactions), messages: Number(rows[0]?.messages) };
    } finally {
      await client.end();
    }
  }

  async drop(): Promise<void> {
    await query(postgresUrl, `drop database if exists ${this.#name} with (force)`);
  }
}
