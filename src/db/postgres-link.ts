/** Owns one connection to PostgreSQL: pipelined, its statements prepared once, made again by itself when it is lost. */
import process from "node:process";
import pg from "pg";
import type { Param } from "../core/context.ts";
import { AppError } from "../core/errors.ts";
import { TooLongError } from "./database.ts";

/** What a statement may be given: an array stands for a whole column of a set. */
export type Value = Param | readonly (Param | boolean)[];

export interface Result<Row> {
  readonly rows: Row[];
  readonly rowCount: number | null;
  readonly command: string;
}

export type LinkRole = "read" | "write";

const int8 = 20;

/**
 * Every wait ends before the two seconds that a request may take, and the server's ends before ours, so that it says which it was.
 * A node that stops inside its transaction is put out before those who wait for it give up.
 */
const connectWithinMs = 1_500;
const answerWithinMs = 1_700;
const statementMs = 1_500;
/** Well before the statement's own end: that somebody holds the lock concerns everybody who waits for it. */
const lockMs = 1_200;
const idleInTransactionMs = 1_000;
const retryMs = 250;

const statementTooLong = "57014";
/** SQLSTATE classes that say "not now": connection, resources, operator's hand; lock or statement took too long; read-only for now. */
const unavailable = /^(08|53|57|58|40001|40P01|55P03|25P03|25006)/;
/** Nothing that waiting would mend: a name, a password, a database, a right. */
const hopeless = /^(28|3D000|3F000|42501|42704|0A000)/;

/** What PostgreSQL itself said, under whatever the ORM has wrapped around it. */
function answerOf(error: unknown): pg.DatabaseError | undefined {
  let cause: unknown = error;
  for (let depth = 0; depth < 4 && cause instanceof Error; depth += 1) {
    if (cause instanceof pg.DatabaseError) return cause;
    cause = cause.cause ?? ("previous" in cause ? cause.previous : undefined);
  }
  return undefined;
}

/** What PostgreSQL said where no connection can ever come about with this URL. */
export function hopelessAnswer(error: unknown): string | undefined {
  const answer = answerOf(error);
  return answer && hopeless.test(answer.code ?? "") ? answer.message : undefined;
}

/** One short reason without addresses' passwords or SQL: a code of the system or of PostgreSQL. */
function reasonOf(error: unknown): string {
  const code = error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
  return code ?? (error instanceof Error ? error.message : String(error));
}

/** Our own errors, constraints and mistakes in SQL pass as they are; that the connection is gone, or the server busy, is no one's mistake. */
export function toAppError(error: unknown): unknown {
  if (error instanceof AppError) return error;
  const answer = answerOf(error);
  if (answer?.code === statementTooLong) return new TooLongError(error);
  if (answer) return unavailable.test(answer.code ?? "") ? away(error) : error;
  return wasLost(error) ? away(error) : error;
}

function wasLost(error: unknown, depth = 0): boolean {
  if (error instanceof LostError) return true;
  return (
    error instanceof Error && depth < 4 && (wasLost(error.cause, depth + 1) || ("previous" in error && wasLost(error.previous, depth + 1)))
  );
}

function away(cause: unknown): AppError {
  return new AppError("SERVICE_UNAVAILABLE", `The database does not answer (${reasonOf(cause)}).`, { cause, retryAfterSeconds: 1 });
}

/** The connection went, or never came; what was under way may have been done or not. */
export class LostError extends Error {
  override name = "LostError";
  /** Whether it was silence and not an answer that ended it. */
  readonly silent: boolean;

  constructor(cause: unknown) {
    super(reasonOf(cause), { cause });
    this.silent = cause instanceof Error && /timeout/i.test(cause.message);
  }
}

function clientOptions(url: string, role: LinkRole): pg.ClientConfig {
  return {
    connectionString: url,
    application_name: `keenchat ${role}`,
    connectionTimeoutMillis: connectWithinMs,
    query_timeout: answerWithinMs,
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

export class PostgresLink {
  readonly #options: pg.ClientConfig;
  readonly #names = new Map<string, { name: string; text: string }>();
  #client: Promise<pg.Client> | undefined;
  /** The client in use: what an abandoned one still says is not listened to. */
  #current: pg.Client | undefined;
  /** Why the database is away: known, so that nobody waits to find it out again. */
  #away: LostError | undefined;
  #retry: NodeJS.Timeout | undefined;
  #closed = false;
  #corked = false;
  #inFlight = 0;

  constructor(url: string, role: LinkRole) {
    this.#options = clientOptions(url, role);
  }

  /** Queries that wait for their answer. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /** Whether it is known that a query would be refused. */
  get isAway(): boolean {
    return this.#away !== undefined;
  }

  /** @throws LostError, or the error by which the server refused. */
  async connect(): Promise<pg.Client> {
    if (this.#away) throw this.#away;
    // Whoever asks after the end must not begin anew.
    if (this.#closed) throw new LostError(new Error("the database was closed"));
    this.#client ??= this.#open();
    return this.#client;
  }

  /** `?` in `sql` stand for `params`; the statement is prepared once a connection. */
  async query<Row>(sql: string, params: readonly Value[]): Promise<Result<Row>> {
    this.#inFlight += 1;
    try {
      return await this.send<Row>(await this.connect(), sql, params);
    } finally {
      this.#inFlight -= 1;
    }
  }

  /** The same on a connection that is there: sent at once, behind what was sent before, without waiting for it. */
  async send<Row>(client: pg.Client, sql: string, params: readonly Value[]): Promise<Result<Row>> {
    this.#cork(client);
    return this.#watch(client, client.query({ ...this.#prepared(sql), values: params as unknown[] })) as Promise<Result<Row>>;
  }

  /** Text as it is, values and all, not prepared. */
  sendText<Row>(client: pg.Client, text: string): Promise<Result<Row>> {
    this.#cork(client);
    return this.#watch(client, client.query(text)) as Promise<Result<Row>>;
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#retry);
    const client = await this.#client?.catch(() => undefined);
    await client?.end();
  }

  /** What is sent in one turn goes out in one system call. */
  #cork({ connection: { stream } }: pg.Client): void {
    if (this.#corked) return;
    this.#corked = true;
    stream.cork();
    process.nextTick(() => {
      this.#corked = false;
      stream.uncork();
    });
  }

  async #watch(client: pg.Client, answer: Promise<unknown>): Promise<unknown> {
    try {
      return await answer;
    } catch (error) {
      if (error instanceof pg.DatabaseError && !/^(57P|25P03)/.test(error.code ?? "")) throw error;
      const lost = new LostError(error);
      this.#lose(client, lost);
      throw lost;
    }
  }

  #prepared(sql: string): { name: string; text: string } {
    let prepared = this.#names.get(sql);
    if (!prepared) {
      let parameters = 0;
      const text = sql.replaceAll("?", () => {
        parameters += 1;
        return `$${parameters}`;
      });
      prepared = { name: `k${this.#names.size}`, text };
      this.#names.set(sql, prepared);
    }
    return prepared;
  }

  async #open(): Promise<pg.Client> {
    const client = new pg.Client(this.#options);
    // An 'error' nobody listens to would end the process.
    client.on("error", (error) => this.#lose(client, new LostError(error)));
    client.on("end", () => this.#lose(client, new LostError(new Error("the connection was closed"))));
    this.#current = client;
    try {
      await client.connect();
      return client;
    } catch (error) {
      void client.end().catch(() => {});
      const reason = error instanceof pg.DatabaseError ? error : new LostError(error);
      this.#client = undefined;
      this.#stayAway(reason instanceof LostError ? reason : new LostError(error));
      throw reason;
    }
  }

  /** A connection that was closed is made again at once; where there was silence, others would only wait for more of it. */
  #lose(client: pg.Client, error: LostError): void {
    if (this.#current !== client) return;
    this.#current = undefined;
    this.#client = undefined;
    void client.end().catch(() => {});
    if (error.silent) this.#stayAway(error);
  }

  #stayAway(error: LostError): void {
    if (this.#closed) return;
    this.#away = error;
    this.#retry = setTimeout(() => {
      const attempt = this.#open();
      attempt.then(
        (client) => {
          // It may have been lost in the same breath in which it came about.
          if (this.#current !== client) return this.#stayAway(new LostError(new Error("the connection was closed")));
          this.#client = attempt;
          this.#away = undefined;
        },
        // It has set the next attempt itself.
        () => {},
      );
    }, retryMs);
    this.#retry.unref();
  }
}
