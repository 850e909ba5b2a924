/** Owns one connection to PostgreSQL for as long as it lasts: pipelined, its statements prepared once, closed when it is silent for too long. */
import process from "node:process";
import pg from "pg";
import type { Param } from "../../core/transaction.ts";
import { LostError } from "./postgres-errors.ts";

/** What a statement may be given: an array stands for a whole column of a set. */
export type Value = Param | readonly (Param | boolean)[];

export interface Result<Row> {
  readonly rows: Row[];
  readonly rowCount: number | null;
  readonly command: string;
}

export type ConnectionRole = "read" | "write";

const int8 = 20;

/**
 * Every wait ends before the two seconds that a request may take, and the server's ends before ours, so that it says which it was.
 * PostgreSQL ends the transaction of a node that has stopped before the transactions that wait for it time out.
 */
const connectWithinMs = 1_500;
const statementMs = 1_500;
/** Whichever statement's turn it is, within its time it is answered or ended: a connection that is well never says nothing for longer. */
const silentMs = 1_700;
/** Well before the statement's own end: that somebody holds the lock concerns everybody who waits for it. */
const lockMs = 1_200;
const idleInTransactionMs = 1_000;

/** By these the server ends the connection and not only the statement. */
const endsConnection = /^(57P|25P03)/;

function clientOptions(url: string, role: ConnectionRole): pg.ClientConfig {
  return {
    connectionString: url,
    application_name: `keenchat ${role}`,
    connectionTimeoutMillis: connectWithinMs,
    statement_timeout: statementMs,
    lock_timeout: lockMs,
    idle_in_transaction_session_timeout: idleInTransactionMs,
    keepAlive: true,
    pipeline: true,
    types: {
      // Ids, positions and times stay far below 2^53.
      getTypeParser: ((oid: number, format?: "text") =>
        oid === int8 ? Number : pg.types.getTypeParser(oid, format)) as typeof pg.types.getTypeParser,
    },
  };
}

export class PostgresConnection {
  readonly #client: pg.Client;
  readonly #onLost: (error: LostError) => void;
  readonly #prepared = new Map<string, { name: string; text: string }>();
  #lost: LostError | undefined;
  #corked = false;
  /** Statements that wait for their answer. */
  #inFlight = 0;
  /** When it last said something, or was first asked after it had said everything. */
  #heardAt = 0;
  #silence: NodeJS.Timeout | undefined;

  /** `onLost` is called when an open connection was lost. */
  constructor(url: string, role: ConnectionRole, onLost: (error: LostError) => void) {
    this.#client = new pg.Client(clientOptions(url, role));
    this.#onLost = onLost;
    // An 'error' nobody listens to would end the process.
    this.#client.on("error", (error) => this.#lose(new LostError(error)));
  }

  /** @throws LostError */
  async open(): Promise<this> {
    try {
      await this.#client.connect();
    } catch (error) {
      this.#client.connection.stream.destroy();
      throw new LostError(error);
    }
    this.#client.connection.stream.on("data", () => {
      this.#heardAt = performance.now();
    });
    return this;
  }

  /** `?` in `sql` stand for `params`. Sent at once, behind what was sent before, without waiting for it; prepared once. */
  send<Row>(sql: string, params: readonly Value[]): Promise<Result<Row>> {
    this.#cork();
    return this.#answer(this.#client.query({ ...this.#prepare(sql), values: params as unknown[] })) as Promise<Result<Row>>;
  }

  /** Text as it is, values and all, not prepared. */
  sendText<Row>(text: string): Promise<Result<Row>> {
    this.#cork();
    return this.#answer(this.#client.query(text)) as Promise<Result<Row>>;
  }

  /** Goodbye, behind what is under way. */
  async end(): Promise<void> {
    await this.#client.end();
  }

  /** Drops it with all that is under way. */
  abandon(): void {
    this.#lose(new LostError(new Error("the connection was abandoned")));
  }

  /** What is sent in one turn goes out in one system call. */
  #cork(): void {
    if (this.#corked) return;
    this.#corked = true;
    const { stream } = this.#client.connection;
    stream.cork();
    process.nextTick(() => {
      this.#corked = false;
      stream.uncork();
    });
  }

  #prepare(sql: string): { name: string; text: string } {
    let prepared = this.#prepared.get(sql);
    if (!prepared) {
      let parameters = 0;
      const text = sql.replaceAll("?", () => {
        parameters += 1;
        return `$${parameters}`;
      });
      prepared = { name: `k${this.#prepared.size}`, text };
      this.#prepared.set(sql, prepared);
    }
    return prepared;
  }

  async #answer(answer: Promise<unknown>): Promise<unknown> {
    if (this.#inFlight === 0) this.#heardAt = performance.now();
    this.#inFlight += 1;
    this.#silence ??= setTimeout(this.#listen, silentMs).unref();
    try {
      return await answer;
    } catch (error) {
      if (error instanceof pg.DatabaseError && !endsConnection.test(error.code ?? "")) throw error;
      this.#lose(new LostError(error));
      throw this.#lost;
    } finally {
      this.#inFlight -= 1;
    }
  }

  /** Not for each statement: one that waits for its turn is no silence. */
  readonly #listen = (): void => {
    if (this.#inFlight === 0) {
      this.#silence = undefined;
      return;
    }
    const heardAt = this.#heardAt;
    const restMs = heardAt + silentMs - performance.now();
    if (restMs > 0) this.#silence = setTimeout(this.#listen, restMs).unref();
    // Where it was this process that stood still, what has come meanwhile is read first.
    else setImmediate(() => (this.#heardAt === heardAt ? this.#lose(new LostError(new Error("answer timeout"))) : this.#listen()));
  };

  #lose(error: LostError): void {
    if (this.#lost) return;
    this.#lost = error;
    clearTimeout(this.#silence);
    // All waiting queries fail now; a protocol message to terminate would be queued behind them.
    this.#client.connection.stream.destroy();
    this.#onLost(error);
  }
}
