/** Owns the opening of the database and of what stands on it: the log, the writer, the secret. */
import { type Config, ConfigError, type DatabaseTarget } from "../config.ts";
import type { Clock } from "../core/clock.ts";
import { AppError } from "../core/errors.ts";
import { EventLog } from "../core/events/log.ts";
import { type Logger, onUnexpected } from "../core/logger.ts";
import { randomTag } from "../core/random.ts";
import type { Database } from "./database.ts";
import { openPostgres } from "./postgres/postgres.ts";
import { readSecret } from "./secret.ts";
import { openMemory, openSqlite } from "./sqlite/sqlite.ts";
import { Writer } from "./writer.ts";

interface Given {
  readonly clock: Clock;
  readonly logger: Logger;
}

export type Store = Awaited<ReturnType<typeof openStore>>;

function openDatabase(target: DatabaseTarget): Promise<Database> {
  switch (target.kind) {
    case "memory":
      return openMemory();
    case "sqlite":
      return openSqlite(target.path);
    case "postgres":
      return openPostgres(target.url);
  }
}

/** @throws ConfigError where it can never work; AppError SERVICE_UNAVAILABLE where it may come. */
export async function openStore({ database: target, authSecret }: Config, { clock, logger }: Given) {
  const database = await openDatabase(target);
  try {
    const log = await EventLog.open(database.read, { shared: database.shared, onError: onUnexpected(logger) });
    const node = randomTag(6);
    const writer = new Writer(database, log, clock, node);
    log.onNewHistory(() => writer.startHistory(randomTag(6)));
    const secret = authSecret ?? (await readSecret(database.read, writer));
    return { database, log, node, writer, secret };
  } catch (error) {
    await database.close();
    // Nobody else has the file: what cannot be read of it now never can.
    if (database.shared || !(error instanceof AppError)) throw error;
    const { message } = error.cause instanceof Error ? error.cause : error;
    throw new ConfigError(`DATABASE_URL names a file that cannot be used: ${message}`, { cause: error });
  }
}
