/** Owns a transaction that is open: what a change may do in it, and the events that become its last rows. */
import type { z } from "zod";
import type { EventDefinition } from "../core/events/event.ts";
import { blankEvents } from "../core/events/internal.ts";
import type { EventRecord } from "../core/events/records.ts";
import type { BatchWrites, Entity, Param, Subject, Transaction } from "../core/transaction.ts";
import type { WriteConnection } from "./database.ts";

interface Draft {
  readonly name: string;
  readonly payload: string;
  readonly subject: Subject;
}

/** Few enough that nobody waits for it. */
const maxBlanked = 500;

export class OpenTransaction implements Transaction, BatchWrites {
  readonly connection: WriteConnection;
  readonly #drafts: Draft[] = [];
  readonly #blankedMessages: number[] = [];
  readonly #counter: { seq: number; message_id: number };
  readonly now: number;

  constructor(connection: WriteConnection, counter: { seq: number; message_id: number }, now: number) {
    this.connection = connection;
    this.#counter = counter;
    this.now = now;
  }

  find<Row>(entity: Entity<Row>, where: Partial<Row>): Promise<Row | null> {
    return this.connection.find(entity, where);
  }
  insert<Row>(entity: Entity<Row>, row: Partial<Row>): Promise<number> {
    return this.connection.insert(entity, row);
  }
  update<Row>(entity: Entity<Row>, where: Partial<Row>, changes: Partial<Row>): Promise<void> {
    return this.connection.update(entity, where, changes);
  }
  remove<Row>(entity: Entity<Row>, where: Partial<Row>): Promise<number> {
    return this.connection.remove(entity, where);
  }
  all<Row>(sql: string, params: readonly Param[]): Promise<Row[]> {
    return this.connection.all(sql, params);
  }
  get<Row>(sql: string, params: readonly Param[]): Promise<Row | undefined> {
    return this.connection.get(sql, params);
  }
  insertMany<Row extends object>(table: string, rows: readonly Row[]): void {
    this.connection.insertMany(table, rows);
  }

  nextMessageId(): number {
    this.#counter.message_id += 1;
    return this.#counter.message_id;
  }

  append<Data extends z.ZodType>(event: EventDefinition<string, Data>, data: z.output<Data>, subject: Subject = {}): number {
    return this.#counter.seq + this.#drafts.push({ name: event.name, payload: JSON.stringify(data), subject });
  }

  blank(subject: Subject): void {
    if (subject.message_id !== undefined) this.#blankedMessages.push(subject.message_id);
    this.append(blankEvents, subject);
  }

  /** Empties the last of a message's events; where it has more, they are hidden by a row until they are swept. */
  #blankMessage(id: number): void {
    const last = `select seq from event where message_id in (?, ?) order by message_id desc, seq desc limit ${maxBlanked}`;
    this.connection.run(`update event set payload = null where seq in (${last})`, [id, id]);
    // In the order of the index, so that no plan looks for it among all events.
    const left = "select seq from event where message_id in (?, ?) and payload is not null order by message_id, seq limit 1";
    this.connection.run(
      `insert into removed_message (message_id, seq) select cast(? as bigint), cast(? as bigint) where (${left}) is not null`,
      [id, this.#counter.seq, id, id],
    );
  }

  /** Puts the events behind the rows and moves the counter. Blanking comes first: it is for earlier events only. */
  finish(tag: string): EventRecord[] {
    for (const id of this.#blankedMessages) this.#blankMessage(id);
    const events = this.#drafts.map(({ name, payload, subject }, index): EventRecord => {
      const { channel_id = null, message_id = null } = subject;
      return { seq: this.#counter.seq + index + 1, tag, name, channel_id, message_id, payload, at: this.now };
    });
    this.#counter.seq += events.length;
    this.insertMany("event", events);
    this.connection.run("update counter set seq = ?, message_id = ? where id = 1", [this.#counter.seq, this.#counter.message_id]);
    return events;
  }
}
