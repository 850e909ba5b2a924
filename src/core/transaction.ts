/** Owns what a procedure may do with the database: read, change something in a transaction, or add a job to a batch. */
import type { z } from "zod";
import type { AppError } from "./errors.ts";
import type { EventDefinition } from "./events/event.ts";

export type Param = string | number | null;

/** Committed rows, by SQL that every supported database reads; statements are prepared once. */
export interface Read {
  all<Row>(sql: string, params: readonly Param[]): Promise<Row[]>;
  get<Row>(sql: string, params: readonly Param[]): Promise<Row | undefined>;
}

/** A table, as the type of its rows. MikroORM's `defineEntity` makes these. */
export interface Entity<Row> {
  readonly "~entity": Row;
}

/** The channel and the message of an event, for filters and for blanking. */
export interface Subject {
  readonly channel_id?: number;
  readonly message_id?: number;
}

/** One transaction, alone in the queue. It commits when the change resolves and rolls back when it rejects. */
export interface Transaction extends Read {
  find<Row>(entity: Entity<Row>, where: Partial<Row>): Promise<Row | null>;
  /** Returns the new row's primary key. */
  insert<Row>(entity: Entity<Row>, row: Partial<Row>): Promise<number>;
  update<Row>(entity: Entity<Row>, where: Partial<Row>, changes: Partial<Row>): Promise<void>;
  remove<Row>(entity: Entity<Row>, where: Partial<Row>): Promise<number>;
  /** Adds an event to the log, in the same transaction as its rows. Returns its position. */
  append<Data extends z.ZodType>(event: EventDefinition<string, Data>, data: z.output<Data>, subject?: Subject): number;
  /** Wall time of the commit. */
  readonly now: number;
  /**
   * Takes the data out of every earlier event about a subject; their positions stay. There can be any number, so that in the table
   * they are hidden by a row of `removed_channel` or `removed_message` until they are swept.
   */
  blank(subject: Subject): void;
}

/** The changes a procedure can make: one transaction each. */
export type Write = <T>(change: (transaction: Transaction) => Promise<T>) => Promise<T>;

/** Reads of a transaction that many jobs share, by the set. */
export interface BatchReads {
  /** The rows whose `keyColumns` equal one of `keys`. `columns` is a select list. */
  findMany<Row>(table: string, columns: string, keyColumns: readonly string[], keys: readonly (readonly Param[])[]): Promise<Row[]>;
}

/** Writes of a transaction that many jobs share, by the set. What fails, fails the commit. */
export interface BatchWrites {
  /** Wall time of the commit, the same for every job in it. */
  readonly now: number;
  nextMessageId(): number;
  /** All of the rows have the columns of the first. */
  insertMany<Row extends object>(table: string, rows: readonly Row[]): void;
  append<Data extends z.ZodType>(event: EventDefinition<string, Data>, data: z.output<Data>, subject?: Subject): void;
}

/**
 * A kind of change whose jobs commit together. First everything is read, then everything is written without waiting: two round trips
 * to the database, however many jobs there are.
 */
export interface Batch<Value, Known, Result> {
  /** Roughly how many bytes a job is. */
  sizeOf(value: Value): number;
  /** What `write` has to know, as it is while no other writer changes it. */
  read(reads: BatchReads, values: readonly Value[]): Promise<Known>;
  /** A result for each job, in their order; an AppError refuses that job alone. */
  write(writes: BatchWrites, values: readonly Value[], known: Known): (Result | AppError)[];
}

export type WriteBatch = <Value, Known, Result>(batch: Batch<Value, Known, Result>, value: Value) => Promise<Result>;
