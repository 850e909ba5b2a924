/**
 * Owns writing: one queue, one transaction at a time, rows and events together, the answer after the commit.
 * Jobs of the same batch that wait together share one transaction and one flush of the disk.
 */

import type { Caller } from "../core/caller.ts";
import type { Clock } from "../core/clock.ts";
import { AppError, invalidToken } from "../core/errors.ts";
import type { EventLog } from "../core/events/log.ts";
import type { EventRecord } from "../core/events/records.ts";
import { changeWaitMs, maxWaitingChangeBytes, maxWaitingChanges } from "../core/limits.ts";
import type { Batch, Transaction } from "../core/transaction.ts";
import { type Counter, type Database, TooLongError, type WriteConnection } from "./database.ts";
import { OpenTransaction } from "./open-transaction.ts";

interface Job {
  readonly value: unknown;
  /** On whose behalf; null: nobody's, or the server's own. */
  readonly caller: Caller | null;
  /** Monotonic milliseconds. */
  readonly addedAt: number;
  readonly resolve: (result: never) => void;
  readonly reject: (error: unknown) => void;
}

/** What a transaction does: reads while the counter is being locked, and writes when it is. */
interface Work {
  sizeOf(value: never): number;
  read(connection: WriteConnection, values: readonly never[]): Promise<unknown>;
  write(transaction: OpenTransaction, values: readonly never[], known: never): unknown[] | Promise<unknown[]>;
}

/** A change alone, or all waiting jobs of one batch. */
interface Unit {
  readonly work: Work;
  readonly jobs: Job[];
  /** Bytes of its jobs together, roughly. */
  size: number;
  /** The same of each user who has jobs in it. */
  readonly sizeOf: Map<number, number>;
}

/** Once a unit has no room for somebody it never has again, so that everybody's own jobs keep their order. */
function hasRoom({ jobs, size, sizeOf }: Unit, caller: Caller | null): boolean {
  if (jobs.length >= maxBatch || size >= maxBatchBytes) return false;
  return caller === null || (sizeOf.get(caller.user_id) ?? 0) < maxUserBytes;
}

function alone<T>(change: (transaction: OpenTransaction) => T | Promise<T>): Work {
  return { sizeOf: () => 0, read: async () => {}, write: async (transaction) => [await change(transaction)] };
}

const maxBatch = 1_000;
/** What a database takes well within the time it is given, and SQLite without keeping everybody else waiting. */
const maxBatchBytes = 1024 * 1024;
/** One user's share of that: what others post goes with the next transaction, however much of one user's waits. */
const maxUserBytes = maxBatchBytes / 2;

const nothing = () => {};

export class Writer {
  readonly #database: Database;
  readonly #log: EventLog;
  readonly #clock: Clock;
  #tag: string;
  readonly #queue: Unit[] = [];
  /** Units that wait, by their batch, in the order of their turns. */
  readonly #open = new Map<Work, Unit[]>();
  readonly #listeners = new Set<(events: readonly EventRecord[]) => void>();
  /** Whether the database refused the last transaction: it is full, for example. */
  #refused = false;
  #waiting = 0;
  #waitingBytes = 0;
  #draining: Promise<void> | undefined;

  /** `tag` marks the positions that this process writes: another one for each start, and for each history. */
  constructor(database: Database, log: EventLog, clock: Clock, tag: string) {
    this.#database = database;
    this.#log = log;
    this.#clock = clock;
    this.#tag = tag;
  }

  /** The table has gone back to an earlier time: the same positions are written again, by another tag. */
  startHistory(tag: string): void {
    this.#tag = tag;
  }

  /** Changes that wait for their transaction. */
  get waiting(): number {
    return this.#waiting;
  }

  /** Runs one change in a transaction of its own. */
  write<T>(change: (transaction: Transaction) => Promise<T>, caller: Caller | null = null): Promise<T> {
    return this.#add(() => this.#newUnit(alone(change)), undefined, caller);
  }

  /** Adds a job to a batch; it commits together with the others that wait for the same batch. */
  writeBatch<Value, Known, Result>(batch: Batch<Value, Known, Result>, value: Value, caller: Caller | null): Promise<Result> {
    return this.#add(
      () => {
        let waiting = this.#open.get(batch);
        if (!waiting) {
          waiting = [];
          this.#open.set(batch, waiting);
        }
        let unit = waiting.find((each) => hasRoom(each, caller));
        if (!unit) {
          unit = this.#newUnit(batch);
          waiting.push(unit);
        }
        return unit;
      },
      value,
      caller,
    );
  }

  /** Runs SQL that changes nothing a reader can see, in its turn. */
  maintain(change: (connection: WriteConnection) => void): Promise<void> {
    return this.#add(() => this.#newUnit(alone(({ connection }) => change(connection))), undefined, null);
  }

  /** Where the last transaction was refused: tries whether the database takes changes again. @throws AppError SERVICE_UNAVAILABLE */
  async checkWrites(): Promise<void> {
    if (!this.#refused) return;
    await this.maintain((connection) => {
      // A row comes and goes: a change that leaves a page as it is would not be written.
      connection.run("insert into setting (name, value) values ('probe', '')", []);
      connection.run("delete from setting where name = 'probe'", []);
    });
  }

  /** Calls back with the events of each transaction of this process that made any. */
  onCommit(listener: (events: readonly EventRecord[]) => void): void {
    this.#listeners.add(listener);
  }

  /** Resolves when everything that waits has been written or refused. */
  async drain(): Promise<void> {
    while (this.#draining) await this.#draining;
  }

  /** It waits no longer. */
  #forget({ jobs, size }: Unit): void {
    this.#waiting -= jobs.length;
    this.#waitingBytes -= size;
  }

  #newUnit(work: Work): Unit {
    const unit: Unit = { work, jobs: [], size: 0, sizeOf: new Map() };
    this.#queue.push(unit);
    return unit;
  }

  #add<Result>(place: () => Unit, value: unknown, caller: Caller | null): Promise<Result> {
    if (this.#waiting >= maxWaitingChanges || this.#waitingBytes >= maxWaitingChangeBytes)
      return Promise.reject(new AppError("SERVICE_UNAVAILABLE", "Too many writes are waiting.", { retryAfterSeconds: 1 }));
    this.#waiting += 1;
    return new Promise<Result>((resolve, reject) => {
      const unit = place();
      const size = unit.work.sizeOf(value as never);
      unit.jobs.push({ value, caller, addedAt: this.#clock.monotonic(), resolve, reject });
      unit.size += size;
      if (caller) unit.sizeOf.set(caller.user_id, (unit.sizeOf.get(caller.user_id) ?? 0) + size);
      this.#waitingBytes += size;
      this.#draining ??= this.#run();
    });
  }

  async #run(): Promise<void> {
    let answer = nothing;
    for (;;) {
      // A turn of the event loop: requests that arrived together are written together, and reads get their turn.
      if (answer === nothing) await new Promise((resolve) => setImmediate(resolve));
      const unit = this.#next();
      if (!unit) break;
      const committing = this.#commit(unit);
      // While the next transaction is on its way to another process, those of the last one are answered.
      if (answer !== nothing) setImmediate(answer);
      answer = await committing;
      if (this.#database.shared && this.#queue.length > 0) continue;
      answer();
      answer = nothing;
    }
    answer();
    this.#draining = undefined;
  }

  /** The next unit of work; units that have waited too long are refused. */
  #next(): Unit | undefined {
    for (let unit = this.#queue.shift(); unit; unit = this.#queue.shift()) {
      const waiting = this.#open.get(unit.work);
      if (waiting?.[0] === unit) waiting.shift();
      this.#forget(unit);
      const { jobs } = unit;
      while (jobs[0] && this.#refuseLate(jobs[0])) jobs.shift();
      if (jobs.length > 0) return unit;
    }
    return undefined;
  }

  #refuseLate({ addedAt, reject }: Job): boolean {
    if (this.#clock.monotonic() - addedAt <= changeWaitMs) return false;
    reject(new AppError("SERVICE_UNAVAILABLE", "This change has waited too long for the database.", { retryAfterSeconds: 1 }));
    return true;
  }

  /** Resolves, once it is committed and readers know, to the way to answer; where it failed, everybody has been answered. */
  async #commit(unit: Unit): Promise<() => void> {
    const { jobs } = unit;
    let committed: { results: unknown[]; events: EventRecord[] };
    try {
      committed = await this.#database.transaction((connection) => this.#carryOut(connection, unit));
    } catch (error) {
      if (error instanceof AppError && error.code === "SERVICE_UNAVAILABLE" && !(error instanceof TooLongError)) {
        this.#refused = true;
        this.#refuseWaiting(error);
      }
      await this.#refuse(unit, error);
      return nothing;
    }
    this.#refused = false;
    const { results, events } = committed;
    this.#log.commit(events);
    if (events.length > 0) for (const listener of this.#listeners) listener(events);
    return () =>
      jobs.forEach((job, index) => {
        const result = results[index];
        if (result instanceof AppError) job.reject(result);
        else job.resolve(result as never);
      });
  }

  async #carryOut(connection: WriteConnection, { work, jobs }: Unit): Promise<{ results: unknown[]; events: EventRecord[] }> {
    // Asked for together, answered in this order: what is read is read under the lock.
    const [counter, admitted, known] = await Promise.all([
      connection.lockCounter(),
      this.#admit(connection, jobs),
      work.read(connection, jobs.map((job) => job.value) as never[]),
    ]);
    if (this.#log.contradicts(await this.#withTag(connection, counter))) {
      // A restored backup: what would be written here is not behind what this process has shown. The look at it starts a new history.
      this.#log.fresh().catch(() => {});
      throw new AppError("SERVICE_UNAVAILABLE", "The database has gone back to an earlier time.", { retryAfterSeconds: 1 });
    }
    if (admitted.length === 0) throw invalidToken();
    const transaction = new OpenTransaction(connection, counter, this.#clock.now());
    const values = admitted.map((job) => job.value) as never[];
    const written = await work.write(transaction, values, known as never);
    const results = new Map(admitted.map((job, index) => [job, written[index]]));
    return {
      results: jobs.map((job) => (results.has(job) ? results.get(job) : invalidToken())),
      events: transaction.finish(this.#tag),
    };
  }

  /** Asked for where it decides: mostly the position is a new one to this process, or its tag has come with it. */
  async #withTag(connection: WriteConnection, { seq, tag }: Counter): Promise<{ seq: number; tag: string | null }> {
    if (tag !== null || seq !== this.#log.head.seq) return { seq, tag };
    return (await connection.get<{ seq: number; tag: string }>("select seq, tag from event where seq = ?", [seq])) ?? { seq, tag };
  }

  /**
   * The jobs whose callers still have their session: it may have ended while its change waited, here or on another node. After a
   * restored backup its id may be somebody else's.
   */
  async #admit(connection: WriteConnection, jobs: readonly Job[]): Promise<Job[]> {
    const ids = new Set(jobs.flatMap(({ caller }) => (caller ? [caller.session_id] : [])));
    const rows = await connection.findMany<{ id: number; user_id: number; expires_at: number }>(
      "session",
      "id, user_id, expires_at",
      ["id"],
      [...ids].map((id) => [id]),
    );
    const sessions = new Map(rows.map((row) => [row.id, row]));
    return jobs.filter(({ caller }) => {
      if (!caller) return true;
      const session = sessions.get(caller.session_id);
      return session?.user_id === caller.user_id && session.expires_at === caller.expires_at;
    });
  }

  /** While the database is away, all waiting work is refused at once, not each after its own wait. */
  #refuseWaiting(error: AppError): void {
    this.#open.clear();
    for (const unit of this.#queue.splice(0)) {
      this.#forget(unit);
      for (const job of unit.jobs) job.reject(error);
    }
  }

  /** What failed together is tried one by one, so that one job cannot fail its neighbours. */
  async #refuse({ work, jobs }: Unit, error: unknown): Promise<void> {
    if (jobs.length === 1 || error instanceof AppError) for (const job of jobs) job.reject(error);
    else for (const job of jobs) if (!this.#refuseLate(job)) (await this.#commit({ work, jobs: [job], size: 0, sizeOf: new Map() }))();
  }
}
