/** Owns the opening of what everything else stands on: the database, its log, the way to write into it; and the wait where it is not there yet. */
import { type Config, ConfigError, type DatabaseTarget } from "./config.ts";
import type { Clock } from "./core/clock.ts";
import { AppError } from "./core/errors.ts";
import { EventLog } from "./core/events/log.ts";
import { type Logger, onUnexpected } from "./core/logger.ts";
import { randomTag } from "./core/random.ts";
import type { Database } from "./db/database.ts";
import { openPostgres } from "./db/postgres.ts";
import { readSecret } from "./db/secret.ts";
import { openMemory, openSqlite } from "./db/sqlite.ts";
import { Writer } from "./db/writer.ts";
import { openWaitingRoom } from "./transports/waiting-room.ts";

interface Given {
  readonly clock: Clock;
  readonly logger: Logger;
}

export type Store = Awaited<ReturnType<typeof openStore>>;

const openAgainMs = 1_000;
/** An opening that takes longer is a wait. */
const atOnceMs = 1_000;
/** Longer than it takes to find out that a database is silent. */
const attemptMs = 5_000;

const stillOpening = new AppError("SERVICE_UNAVAILABLE", "The database is being opened.", { retryAfterSeconds: 1 });

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

/** Opens what may still come, or takes its time; meanwhile the ports say what it is waited for. */
export async function openWhenThere<T>(config: Config, { clock, logger }: Given, open: () => Promise<T>): Promise<T> {
  let reason: AppError | undefined;
  let room: ReturnType<typeof openWaitingRoom> | undefined;
  const wait = (why: AppError) => {
    if (reason?.message !== why.message) logger.warn({ reason: why.message }, "waiting for the database");
    reason = why;
    room ??= openWaitingRoom(config, () => reason, onUnexpected(logger));
    return room;
  };
  try {
    for (;;) {
      // A port that is taken breaks off no migration: that is said when the attempt is over.
      const stopWaiting = clock.after(room ? attemptMs : atOnceMs, () => wait(stillOpening).catch(() => {}));
      try {
        return await open();
      } catch (error) {
        if (!(error instanceof AppError) || error.code !== "SERVICE_UNAVAILABLE") throw error;
        await wait(error);
      } finally {
        stopWaiting();
      }
      await new Promise<void>((resolve) => clock.after(openAgainMs, resolve));
    }
  } finally {
    const close = await room;
    await close?.();
  }
}
