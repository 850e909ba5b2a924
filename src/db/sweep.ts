/** Owns what is left of removed channels and messages: `core/visible.ts` hides it, and here it goes, a little at a time, so that nobody waits. */
import type { Clock } from "../core/clock.ts";
import { blankEvents } from "../core/events/internal.ts";
import type { Read } from "../core/transaction.ts";
import type { Writer } from "./writer.ts";

/** What a crash has left, or another node that is gone. */
const periodMs = 60_000;
const chunkRows = 500;

/** What can be removed with any number of rows, and the table of those of it that are not swept yet. */
const kinds = { channel_id: "removed_channel", message_id: "removed_message" } as const;
type Kind = keyof typeof kinds;

/** Said with each change: the table may have gone back, in the meantime, to a time when the thing was there. */
const ifRemoved = (kind: Kind) => `exists (select 1 from ${kinds[kind]} where ${kind} = ?)`;

interface SweepOptions {
  readonly read: Read;
  readonly writer: Writer;
  readonly clock: Clock;
  readonly onError: (error: unknown) => void;
}

export class Sweep {
  readonly #options: SweepOptions;
  readonly #stopRounds: () => void;
  #wanted = false;
  #stopped = false;
  #running: Promise<void> | undefined;

  /** Begins at once, and looks again once a minute. Nodes that sweep the same channel only find less to do. */
  constructor(options: SweepOptions) {
    this.#options = options;
    this.#stopRounds = options.clock.every(periodMs, () => this.#begin());
    // The node that removed something sweeps it; the others would only do the same once more.
    options.writer.onCommit((events) => events.some(({ name }) => name === blankEvents.name) && this.#begin());
    this.#begin();
  }

  /** Sweeps what was removed until now; what cannot be done now is left to the next round. */
  #begin(): void {
    this.#wanted = true;
    this.#running ??= this.#run();
  }

  /** Resolves when nothing of it is under way any more. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#stopRounds();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { onError } = this.#options;
    while (this.#wanted && !this.#stopped) {
      this.#wanted = false;
      try {
        for (const { id, seq } of await this.#list("channel_id")) await this.#sweepChannel(id, seq);
        for (const { id, seq } of await this.#list("message_id")) await this.#sweepMessage(id, seq);
      } catch (error) {
        // What was removed while this round failed is wanted still, and has its round at once.
        if (!this.#stopped) onError(error);
      }
    }
    this.#running = undefined;
  }

  /** The oldest of what was removed. Where that is many, another round follows. */
  async #list(kind: Kind): Promise<{ id: number; seq: number }[]> {
    const sql = `select ${kind} as id, seq from ${kinds[kind]} order by seq limit ${chunkRows}`;
    const rows = await this.#options.read.all<{ id: number; seq: number }>(sql, []);
    if (rows.length === chunkRows) this.#wanted = true;
    return rows;
  }

  async #sweepMessage(id: number, seq: number): Promise<void> {
    await this.#walk("message_id", id, "event", "seq", seq + 1, "update event set payload = null where payload is not null");
    if (this.#stopped) return;
    await this.#options.writer.maintain((connection) => connection.run("delete from removed_message where message_id = ?", [id]));
  }

  async #sweepChannel(channelId: number, seq: number): Promise<void> {
    // Messages first, from the newest: pages that begin with the newest have to pass over what is hidden.
    await this.#walk("channel_id", channelId, "message", "id", Number.MAX_SAFE_INTEGER, "delete from message where true");
    await this.#walk("channel_id", channelId, "event", "seq", seq, "update event set payload = null where payload is not null");
    if (this.#stopped) return;
    await this.#options.writer.maintain((connection) => {
      // A node of the version before does not know that the channel was removed, and may have posted into it until now.
      const later = `channel_id = ? and seq > ? and payload is not null and ${ifRemoved("channel_id")}`;
      connection.run(`update event set payload = null where ${later}`, [channelId, seq, channelId]);
      connection.run(`delete from channel where id = ? and ${ifRemoved("channel_id")}`, [channelId, channelId]);
    });
  }

  /** Makes a change to all that a table has of a thing below a value of its key, from the highest on, a chunk a transaction. */
  async #walk(kind: Kind, id: number, table: string, key: string, below: number, change: string): Promise<void> {
    const { read, writer } = this.#options;
    // "in" with the same twice, and not "=": with that PostgreSQL may think it as good to look for them among those of all channels.
    const where = `${kind} in (?, ?) and ${key} < ?`;
    const chunk = `select ${key} from ${table} where ${where} order by ${kind} desc, ${key} desc limit ${chunkRows}`;
    for (let end = below; !this.#stopped; ) {
      const params = [id, id, end];
      const found = await read.get<{ first: number | null }>(`select min(${key}) as first from (${chunk}) as chunk`, params);
      if (!found || found.first === null) return;
      const sql = `${change} and ${key} in (${chunk}) and ${ifRemoved(kind)}`;
      await writer.maintain((connection) => connection.run(sql, [...params, id]));
      end = found.first;
    }
  }
}
