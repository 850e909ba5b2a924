/** Owns what a procedure may see: plain interfaces, never the ORM or a socket, so that the client's types stay small. */
import type { z } from "zod";
import type { Clock } from "./clock.ts";
import type { AppError } from "./errors.ts";
import type { EventDefinition } from "./events/event.ts";

/** Who is asking, as proven by a token. */
export interface Caller {
  readonly userId: number;
  readonly username: string;
  readonly admin: boolean;
  readonly sessionId: number;
  /** Wall time in milliseconds. */
  readonly expiresAt: number;
}

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

/** What an event is about, for filters and for blanking. */
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
  /** Adds an event to the log, in the same transaction as the rows it tells of. Returns its position. */
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
 * A kind of change whose jobs commit together. First everything is read, then everything is written and nothing is waited for:
 * two ways to the database and back, however many jobs there are.
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

/** Where a request came from. */
export interface Origin {
  /** The client's address, seen through trusted proxies. */
  readonly address: string;
  /** From this machine, and no proxy has passed it on. */
  readonly local: boolean;
}

/** What only HTTP can say of an answer; a procedure sets it, other wires do not look at it. */
export interface Reply {
  /** A status other than the documented success. */
  status?: number;
  /** Ids to continue from, for `Link`. */
  next?: number;
  prev?: number;
}

/** Rules of this server that a procedure has to know. */
export interface Rules {
  readonly admin: string | undefined;
  readonly signUp: "open" | "closed";
  readonly anonymousRead: boolean;
  readonly tokenTtlMs: number;
}

/** Hashes passwords; slow on purpose, so only so many at once. */
export interface Passwords {
  /** @throws AppError TOO_MANY_REQUESTS when too many wait. */
  hash(password: string): Promise<string>;
  /** Takes the same time whether there is a hash to compare with or not. */
  verify(password: string, hash: string | undefined): Promise<boolean>;
}

export interface Tokens {
  /** The token that proves a session. */
  sign(session: { id: number; userId: number; expiresAt: number }): Promise<string>;
}

/** What a reader follows: it can be iterated, and a socket can take it over and write the events itself. */
export interface Follow<Item> extends AsyncIterable<Item, void> {
  readonly channels: ReadonlySet<number> | undefined;
  readonly cursor: string | undefined;
}

export interface LoggedItem {
  readonly id: string;
  readonly event: string;
  readonly data: unknown;
}

export interface FollowOptions {
  readonly cursor?: string | undefined;
  readonly channels?: ReadonlySet<number> | undefined;
  /** The caller's address: reading the log is shared out by it. */
  readonly address: string;
  /** Aborts when the caller leaves. */
  readonly signal?: AbortSignal | undefined;
}

export interface EventReader {
  /** Up to `limit` events after a cursor, or one `resync`. There may be fewer, or none, where the cursor has moved: go on from there. */
  list(options: FollowOptions & { readonly limit: number }): Promise<{ events: LoggedItem[]; cursor: string }>;
  follow<Item>(options: FollowOptions): Follow<Item>;
}

/** Who is in which channel, and who is typing: outside the log, for the moment only. */
export interface Presence {
  /** Ids of the users in a channel, ascending, each once. */
  users(channelId: number): number[];
  /**
   * Brings a user in until the returned way out is taken; `lingering` leaves room for a page that reloads, `renewing` for a client that
   * was made to come back.
   */
  enter(channelId: number, userId: number): (options?: { lingering?: boolean; renewing?: boolean }) => void;
  /** Calls back with the users at each change that is announced; with undefined when the channel is gone. */
  watch(channelId: number, listener: (users: number[] | undefined) => void): () => void;
  startTyping(channelId: number, userId: number): void;
  /** `atOnce`: readers see something else that ends it, a message for example. */
  stopTyping(channelId: number, userId: number, options?: { atOnce?: boolean }): void;
}

/** The socket a call came by. */
export interface Socket {
  readonly open: boolean;
  /** Calls back once when the socket closes; another callback under the same key takes its place. */
  onClose(key: string, callback: () => void): void;
}

/**
 * The answer that a subscription over HTTP is written to. Nothing tells that its client is gone without a word: it is ended before
 * long, and a client that is there comes back.
 */
export interface Stream {
  readonly renewing: boolean;
}

/** What every procedure gets. */
export interface Context {
  /** Null: nobody has signed in. */
  readonly caller: Caller | null;
  readonly origin: Origin;
  readonly requestId: string;
  readonly reply: Reply;
  readonly clock: Clock;
  readonly rules: Rules;
  readonly read: Read;
  readonly write: Write;
  readonly writeBatch: WriteBatch;
  readonly passwords: Passwords;
  readonly tokens: Tokens;
  readonly events: EventReader;
  readonly presence: Presence;
  /** Missing where each call comes on its own, over HTTP. */
  readonly socket?: Socket | undefined;
  readonly stream?: Stream | undefined;
  readonly logger: { error(fields: object, message: string): void };
}
