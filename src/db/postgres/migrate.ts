/** Owns bringing PostgreSQL's schema to this version: one node after the other, and none of them behind a lock that it has lost. */
import { setTimeout as pause } from "node:timers/promises";
import type { MikroORM } from "@mikro-orm/postgresql";
import pg from "pg";
import { ConfigError } from "../../config.ts";
import { AppError } from "../../core/errors.ts";
import { farewell } from "./farewell.ts";
import { checkPostgres } from "./postgres-checks.ts";
import { LostError } from "./postgres-errors.ts";

/** Any number; the same in every version of Keenchat, so that two of them never migrate together. */
const migrationLock = 5_336_824;
const connectMs = 2_000;
/** Another process may hold the lock for long: each wait ends after this, is logged, and starts again. */
const lockMs = 500;
/** Nothing that the session of the lock is asked takes any time. */
const answerMs = 5_000;
const pulseMs = 1_000;

/** What PostgreSQL refuses passes as it is; anything else is its silence or its end. */
async function heard<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    throw error instanceof pg.DatabaseError || error instanceof ConfigError ? error : new LostError(error);
  }
}

async function takeLock(session: pg.Client): Promise<void> {
  try {
    await heard(session.query("select pg_advisory_lock($1)", [migrationLock]));
  } catch (cause) {
    const isTaken = cause instanceof pg.DatabaseError && cause.code === "55P03";
    throw isTaken ? new AppError("SERVICE_UNAVAILABLE", "Another node migrates the database.", { cause, retryAfterSeconds: 1 }) : cause;
  }
}

/** Rejects when the session is gone, or says nothing any more. */
async function watch(session: pg.Client): Promise<never> {
  for (;;) {
    await pause(pulseMs, undefined, { ref: false });
    await heard(session.query("select 1"));
  }
}

/**
 * The migration may take as long as it wants; by the session that holds the lock it is known whether PostgreSQL is still there.
 * @throws AppError, LostError, or what PostgreSQL refused with; ConfigError where it is too old.
 */
export async function migrate(url: string, orm: MikroORM): Promise<void> {
  const session = new pg.Client({
    connectionString: url,
    application_name: "keenchat migration",
    connectionTimeoutMillis: connectMs,
    lock_timeout: lockMs,
    query_timeout: answerMs,
  });
  const pool = await orm.em.getConnection().getNativeClient();
  const migrating: pg.PoolClient[] = [];
  const cut = new Promise<never>((_, reject) => {
    session.on("error", reject);
    pool.on("connect", (client) => {
      migrating.push(client);
      client.on("error", reject);
    });
  });
  cut.catch(() => {});
  try {
    await heard(session.connect());
    await heard(checkPostgres(url, session));
    await takeLock(session);
    // The first connection of the migration, to be told apart from what the migration does. A user may have been given a time.
    const migrated = heard(pool.query("set statement_timeout = 0")).then(() => orm.migrator.up());
    await Promise.race([migrated, heard(cut), watch(session)]);
  } finally {
    // With its session goes its lock, and nothing may be migrated without it.
    await farewell(...[session, ...migrating].map((client) => client.end()));
  }
}
