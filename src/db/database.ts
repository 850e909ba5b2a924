/** Owns what the server needs of a database: committed reads, and transactions one at a time. */

import { AppError } from "../core/errors.ts";
import type { BatchReads, Entity, Param, Read } from "../core/transaction.ts";

/** A change that takes longer than the database is given for it. It says nothing of the others. */
export class TooLongError extends AppError {
  constructor(cause: unknown) {
    super("SERVICE_UNAVAILABLE", "This takes the database too long.", { cause, retryAfterSeconds: 1 });
  }
}

/**
 * The open transaction of a write, on one connection. SQL runs in the order it is given, waited for or not; an ORM call is to be waited
 * for. What returns nothing is not waited for: where it fails, the transaction does.
 */
export interface WriteConnection extends Read, BatchReads {
  find<Row>(entity: Entity<Row>, where: Partial<Row>): Promise<Row | null>;
  insert<Row>(entity: Entity<Row>, row: Partial<Row>): Promise<number>;
  update<Row>(entity: Entity<Row>, where: Partial<Row>, changes: Partial<Row>): Promise<void>;
  remove<Row>(entity: Entity<Row>, where: Partial<Row>): Promise<number>;
  run(sql: string, params: readonly Param[]): void;
  /** All of the rows have the columns of the first. */
  insertMany<Row extends object>(table: string, rows: readonly Row[]): void;
  /** Waits for the statements sent so far, for a caller that writes more than may be in flight at once. */
  flush(): Promise<void>;
  /** Reads the counter row and keeps every other writer waiting until this transaction ends. */
  lockCounter(): Promise<Counter>;
}

/** The counter row: the last position and the last message id that were given. */
export interface Counter {
  readonly seq: number;
  readonly message_id: number;
  /** The tag at the last position; null where that was written while the lock was waited for. */
  readonly tag: string | null;
}

export interface Database {
  readonly read: Read;
  /** Whether other processes write to it too. */
  readonly shared: boolean;
  /**
   * Commits when `work` resolves, rolls back when it rejects. Never two at a time: the writer's queue sees to it.
   * @throws AppError SERVICE_UNAVAILABLE when the database cannot be reached or has no room.
   */
  transaction<T>(work: (connection: WriteConnection) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}
