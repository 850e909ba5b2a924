/** Owns reading from PostgreSQL: whom to ask of several connections, for how long, and when once more. */
import type { Param, Read } from "../../core/transaction.ts";
import { TooLongError } from "../database.ts";
import type { Result } from "./postgres-connection.ts";
import { LostError, toAppError } from "./postgres-errors.ts";
import { PostgresLink } from "./postgres-link.ts";

const links = 3;
/** A connection whose first query has waited for this long takes no other query while another connection can. */
const slowMs = 100;
/** Before the two seconds that a request may take; after a connection's silence, which tells more. */
const patienceMs = 1_800;
/** A query that has waited for longer is not sent a second time. */
const onceMoreMs = 200;

/** Somebody who waits. */
interface Asked {
  readonly sql: string;
  readonly at: number;
  readonly refuse: (error: TooLongError) => void;
}

const tooLong = () => new TooLongError(new Error("others were before it"));

/** A connection and those who wait for it, who are answered in their order. */
class Lane {
  readonly #link: PostgresLink;
  /** Those who were refused are among them until their turn has come: till then they hold up the others. */
  readonly #asked: Asked[] = [];
  readonly #count = new Map<string, number>();
  #patience: NodeJS.Timeout | undefined;

  constructor(url: string) {
    this.#link = new PostgresLink(url, "read");
  }

  get isAway(): boolean {
    return this.#link.isAway;
  }

  get length(): number {
    return this.#asked.length;
  }

  /** Whether the first of them has waited for longer than that. */
  isBehind(ms: number): boolean {
    const [first] = this.#asked;
    return first !== undefined && performance.now() - first.at > ms;
  }

  isAsked(sql: string): boolean {
    return this.#count.has(sql);
  }

  /** @throws TooLongError when its turn does not come in time; it alone is refused. */
  ask<Row>(sql: string, params: readonly Param[]): Promise<Result<Row>> {
    return new Promise((resolve, reject) => {
      const asked: Asked = { sql, at: performance.now(), refuse: reject };
      this.#asked.push(asked);
      this.#count.set(sql, (this.#count.get(sql) ?? 0) + 1);
      this.#patience ??= setTimeout(this.#refuse, patienceMs).unref();
      const answered = () => {
        // Mostly the first. Why it is no set: src/README.md, 2026-11-24.
        this.#asked.splice(this.#asked.indexOf(asked), 1);
        const others = (this.#count.get(sql) ?? 1) - 1;
        if (others > 0) this.#count.set(sql, others);
        else this.#count.delete(sql);
      };
      this.#link.query<Row>(sql, params).finally(answered).then(resolve, reject);
    });
  }

  close(): Promise<void> {
    return this.#link.close();
  }

  readonly #refuse = (): void => {
    this.#patience = undefined;
    const now = performance.now();
    for (const { at, refuse } of this.#asked) {
      const restMs = at + patienceMs - now;
      if (restMs > 0) {
        this.#patience = setTimeout(this.#refuse, restMs).unref();
        return;
      }
      refuse(tooLong());
    }
    // What is still under way is for nobody: a new connection is there sooner.
    if (this.#asked.length > 0) void this.#link.abandon();
  };
}

export class PostgresRead implements Read {
  readonly #lanes: readonly Lane[];

  constructor(url: string) {
    this.#lanes = Array.from({ length: links }, () => new Lane(url));
  }

  /** Nothing is lost by asking again, so a cut connection is not noticed. */
  async all<Row>(sql: string, params: readonly Param[]): Promise<Row[]> {
    const askedAt = performance.now();
    try {
      return (await this.#ask<Row>(sql, params)).rows;
    } catch (error) {
      if (!(error instanceof LostError) || error.silent || performance.now() - askedAt > onceMoreMs) throw toAppError(error);
      const { rows } = await this.#ask<Row>(sql, params).catch((again: unknown) => Promise.reject(toAppError(again)));
      return rows;
    }
  }

  async get<Row>(sql: string, params: readonly Param[]): Promise<Row | undefined> {
    return (await this.all<Row>(sql, params))[0];
  }

  async close(): Promise<void> {
    await Promise.all(this.#lanes.map((lane) => lane.close()));
  }

  async #ask<Row>(sql: string, params: readonly Param[]): Promise<Result<Row>> {
    const lane = this.#choose(sql);
    // The connection has not even answered the queries that timed out.
    if (lane.isBehind(patienceMs)) throw tooLong();
    return lane.ask<Row>(sql, params);
  }

  /** The one that has the least to do, of those that get on. */
  #choose(sql: string): Lane {
    const there = this.#lanes.filter((lane) => !lane.isAway);
    const lanes = there.length > 0 ? there : this.#lanes;
    // One kind of question never has them all: should it be slow, the others still get through.
    const same = lanes.filter((lane) => lane.isAsked(sql));
    const allowed = same.length > 0 && same.length >= lanes.length - 1 ? same : lanes;
    const quick = allowed.filter((lane) => !lane.isBehind(slowMs));
    return (quick.length > 0 ? quick : allowed).reduce((least, lane) => (lane.length < least.length ? lane : least));
  }
}
