/** Owns the event log as readers see it: the head, the recent events in memory, and the table for everything older. */
import type { z } from "zod";
import { maxReplayBytes } from "../limits.ts";
import type { Read } from "../transaction.ts";
import { parseCursor, toCursor } from "./cursor.ts";
import { blankEvents, isInternal, readInternal } from "./internal.ts";
import { type EventRecord, readPiece } from "./records.ts";

/** One position of the log. */
export interface LogEvent {
  readonly seq: number;
  /** The cursor of this position. */
  readonly id: string;
  readonly name: string;
  /** The channel it is about; null: about none. */
  readonly channel_id: number | null;
  readonly message_id: number | null;
  /** Its data as JSON; null where there is nothing to show: blanked, or internal. */
  payload: string | null;
  /** The data of an internal event, as JSON; no reader gets it. */
  readonly internal?: string;
  /** Its frame for each wire, so that it is encoded once for any number of readers. */
  frames?: Map<object, unknown>;
}

export type ResyncReason = "expired" | "unknown" | "malformed";
export type Location = { position: Position } | { reason: ResyncReason };

/** The position of a reader: it has everything up to and including `seq`. */
export interface Position {
  readonly seq: number;
  readonly id: string;
}

const ringEvents = 10_000;
const ringBytes = 32 * 1024 * 1024;
/** How many events other nodes' commits are fetched by at once, and how many bytes of them. */
const tailEvents = 500;
const tailBytes = 1024 * 1024;
/** How many positions a filter is held against in one statement. */
const filteredEvents = 2_000;
/** The approximate size of an event without its payload. Each wire that sent it keeps the payload once more. */
const eventOverheadBytes = 300;

function ringSize(event: LogEvent): number {
  return eventOverheadBytes + 3 * (event.payload?.length ?? 0);
}

function toLogEvent(row: EventRecord): LogEvent {
  const { seq, tag, name, channel_id, message_id } = row;
  const position = { seq, id: toCursor(seq, tag), name, channel_id, message_id };
  return isInternal(name) ? { ...position, payload: null, internal: row.payload ?? "" } : { ...position, payload: row.payload };
}

async function readHead(read: Read): Promise<Position> {
  const last = await read.get<{ seq: number; tag: string }>("select seq, tag from event order by seq desc limit 1", []);
  if (!last) throw new Error("The log has no origin: the database is not a Keenchat database.");
  return { seq: last.seq, id: toCursor(last.seq, last.tag) };
}

export interface LogOptions {
  /** Whether other processes write to the same table. */
  readonly shared: boolean;
  readonly onError: (error: unknown) => void;
}

const done = Promise.resolve();

export class EventLog {
  readonly #read: Read;
  readonly #options: LogOptions;
  readonly #listeners = new Set<(events: readonly LogEvent[]) => void>();
  readonly #historyListeners = new Set<() => void>();
  #ring: LogEvent[] = [];
  #ringBytes = 0;
  #head: Position;
  /** The look at the table under way, and the next one. */
  #look: Promise<void> = done;
  #nextLook: Promise<void> | undefined;

  private constructor(read: Read, head: Position, options: LogOptions) {
    this.#read = read;
    this.#head = head;
    this.#options = options;
  }

  static async open(read: Read, options: LogOptions): Promise<EventLog> {
    return new EventLog(read, await readHead(read), options);
  }

  /** The last position. Everything up to it is committed and can be read. */
  get head(): Position {
    return this.#head;
  }

  /** Whether the last position of the table, read while nobody can write, is of another history than the one followed here. */
  contradicts({ seq, tag }: { seq: number; tag: string | null }): boolean {
    return seq < this.#head.seq || (seq === this.#head.seq && (tag === null || toCursor(seq, tag) !== this.#head.id));
  }

  /** Calls back with each commit's events, in order, after they can be read. */
  subscribe(listener: (events: readonly LogEvent[]) => void): void {
    this.#listeners.add(listener);
  }

  /** Calls back when the table's history is no longer the one that this process has followed; readers start again. */
  onNewHistory(listener: () => void): void {
    this.#historyListeners.add(listener);
  }

  /** Takes over what this process has committed. Where others committed in between, the table has all of it in order. */
  commit(rows: readonly EventRecord[]): void {
    const first = rows[0];
    if (!first || first.seq <= this.#head.seq) return;
    if (first.seq === this.#head.seq + 1) this.#append(rows);
    // The next reader looks again, and its look rejects with the failure.
    else this.fresh().catch(() => {});
  }

  /**
   * Resolves when everything that any process had committed before this call is known here. One look at the table serves all who
   * ask before it begins.
   * @throws AppError SERVICE_UNAVAILABLE when the database cannot be reached.
   */
  fresh(): Promise<void> {
    if (!this.#options.shared) return done;
    this.#nextLook ??= this.#look.then(
      () => this.#beginLook(),
      (error: unknown) => {
        // Callers that waited behind a failed look fail with it: their own look would wait for a silent database a second time.
        this.#nextLook = undefined;
        throw error;
      },
    );
    return this.#nextLook;
  }

  /** Later callers need the next look, because this one may have read already. */
  #beginLook(): Promise<void> {
    this.#nextLook = undefined;
    this.#look = this.#tail().finally(() => (this.#look = done));
    return this.#look;
  }

  /** Reads the table from the head. The head's row is read too, to see if the table still has the same history. */
  async #tail(): Promise<void> {
    for (;;) {
      const head = this.#head;
      const rows = await readPiece(this.#read, {
        after: head.seq - 1,
        to: head.seq - 1 + tailEvents,
        limit: tailEvents,
        bytes: tailBytes,
      });
      const [known] = rows;
      const whole = rows.every((row, index) => row.seq === head.seq + index);
      if (!known || toCursor(known.seq, known.tag) !== head.id || !whole) {
        await this.#startOver();
        return;
      }
      this.#append(rows.filter((row) => row.seq > this.#head.seq));
      // Of a full piece there may be more. A character is at most three bytes.
      const characters = rows.reduce((sum, { payload }) => sum + (payload?.length ?? 0), 0);
      if (rows.length < tailEvents && 3 * characters < tailBytes) return;
    }
  }

  /** A restored backup, or this process was away for longer than the log keeps. */
  async #startOver(): Promise<void> {
    this.#head = await readHead(this.#read);
    this.#ring = [];
    this.#ringBytes = 0;
    for (const listener of this.#historyListeners) listener();
  }

  #append(rows: readonly EventRecord[]): void {
    const events = rows.map(toLogEvent);
    const last = events.at(-1);
    if (!last) return;
    for (const event of events) {
      const subject = readInternal(blankEvents, event);
      if (subject) this.#blank(subject);
      this.#ring.push(event);
      this.#ringBytes += ringSize(event);
    }
    this.#trim();
    this.#head = { seq: last.seq, id: last.id };
    for (const listener of this.#listeners) {
      try {
        listener(events);
      } catch (error) {
        // A listener that fails does not undo the commit.
        this.#options.onError(error);
      }
    }
  }

  /** Runs over by a tenth before it cuts back: a cut moves the whole array. */
  #trim(): void {
    if (this.#ring.length <= 1.1 * ringEvents && this.#ringBytes <= 1.1 * ringBytes) return;
    let excess = 0;
    while (this.#ring.length - excess > ringEvents || this.#ringBytes > ringBytes) {
      const oldest = this.#ring[excess];
      if (!oldest) break;
      this.#ringBytes -= ringSize(oldest);
      excess += 1;
    }
    this.#ring = this.#ring.slice(excess);
  }

  #blank({ message_id, channel_id }: z.infer<typeof blankEvents.data>): void {
    for (const event of this.#ring) {
      const about = message_id === undefined ? event.channel_id === channel_id : event.message_id === message_id;
      if (!about || event.payload === null) continue;
      this.#ringBytes -= ringSize(event) - eventOverheadBytes;
      event.payload = null;
      delete event.frames;
    }
  }

  /**
   * Up to `limit` events after a position, blanked and internal ones included, from memory where it reaches back that far. Of those
   * that do not pass the filter some may be left out, never the first and the last one. Never past the head: the table can be ahead of
   * it for a moment, and what comes then is delivered live.
   */
  async after(seq: number, limit: number, channels?: ReadonlySet<number>): Promise<readonly LogEvent[]> {
    const recent = this.recent(seq, limit);
    if (recent) return recent;
    const to = Math.min(this.#head.seq, seq + (channels ? filteredEvents : limit));
    const rows = await readPiece(this.#read, { after: seq, to, limit, bytes: maxReplayBytes, channels });
    return rows.map(toLogEvent);
  }

  /** The same from memory alone; undefined where memory does not reach back to that position. */
  recent(seq: number, limit: number): readonly LogEvent[] | undefined {
    if (seq >= this.#head.seq) return [];
    const first = this.#ring[0];
    if (!first || seq < first.seq - 1) return undefined;
    const start = seq + 1 - first.seq;
    const events = this.#ring.slice(start, start + limit);
    let bytes = 0;
    const end = events.findIndex(({ payload }) => {
      bytes += payload?.length ?? 0;
      return bytes > maxReplayBytes;
    });
    return end === -1 ? events : events.slice(0, Math.max(end, 1));
  }

  /** Finds the position of a cursor, or the reason why there is none. */
  async locate(cursor: string): Promise<Location> {
    const claim = parseCursor(cursor);
    if (!claim) return { reason: "malformed" };
    const { seq } = claim;
    if (cursor === this.#head.id) return { position: this.#head };
    if (seq > this.#head.seq) return { reason: "unknown" };
    const first = this.#ring[0];
    if (first && seq >= first.seq) {
      return this.#ring[seq - first.seq]?.id === cursor ? { position: { seq, id: cursor } } : { reason: "unknown" };
    }
    const row = await this.#read.get<{ tag: string }>("select tag from event where seq = ?", [seq]);
    if (!row) return { reason: "expired" };
    return row.tag === claim.tag ? { position: { seq, id: cursor } } : { reason: "unknown" };
  }
}
