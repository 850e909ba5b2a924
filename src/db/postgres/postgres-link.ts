/** Owns the way to PostgreSQL: one connection, made when it is first needed and again when it is lost; while none can be had, it is away. */
import { type ConnectionRole, PostgresConnection, type Result, type Value } from "./postgres-connection.ts";
import { LostError } from "./postgres-errors.ts";

const retryMs = 250;

export class PostgresLink {
  readonly #url: string;
  readonly #role: ConnectionRole;
  /** The one in use, or on its way: what an abandoned one still says is not listened to. */
  #connection: Promise<PostgresConnection> | undefined;
  /** Why the database is away: known, so that nobody waits to find it out again. */
  #away: LostError | undefined;
  #retry: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(url: string, role: ConnectionRole) {
    this.#url = url;
    this.#role = role;
  }

  /** Whether it is known that a query would be refused. */
  get isAway(): boolean {
    return this.#away !== undefined;
  }

  /** @throws LostError */
  async connect(): Promise<PostgresConnection> {
    if (this.#away) throw this.#away;
    // A query after `close` must not open a new connection.
    if (this.#closed) throw new LostError(new Error("the database was closed"));
    return this.#connection ?? this.#open();
  }

  async query<Row>(sql: string, params: readonly Value[]): Promise<Result<Row>> {
    return (await this.connect()).send<Row>(sql, params);
  }

  /** Abandons what is under way; the next query opens a new connection. */
  async abandon(): Promise<void> {
    const connection = await this.#connection?.catch(() => undefined);
    connection?.abandon();
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#retry);
    const connection = await this.#connection?.catch(() => undefined);
    await connection?.end();
  }

  #open(): Promise<PostgresConnection> {
    const opening = new PostgresConnection(this.#url, this.#role, (error) => this.#lose(opening, error)).open();
    this.#connection = opening;
    opening.catch((error: LostError) => {
      this.#connection = undefined;
      this.#stayAway(error);
    });
    return opening;
  }

  /** A connection that was closed is made again at once; where there was silence, others would only wait for more of it. */
  #lose(connection: Promise<PostgresConnection>, error: LostError): void {
    if (this.#connection !== connection) return;
    this.#connection = undefined;
    if (error.silent) this.#stayAway(error);
  }

  #stayAway(error: LostError): void {
    if (this.#closed) return;
    this.#away = error;
    this.#retry = setTimeout(() => {
      const opening = this.#open();
      opening.then(
        () => {
          // It may have been lost in the same breath in which it came about.
          if (this.#connection !== opening) return this.#stayAway(new LostError(new Error("the connection was closed")));
          this.#away = undefined;
        },
        // It has set the next attempt itself.
        () => {},
      );
    }, retryMs);
    this.#retry.unref();
  }
}
