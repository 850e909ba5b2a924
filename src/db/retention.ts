/** Owns what the log forgets: events past their age and their number, a little at a time, so that nobody waits. */
import type { Clock } from "../core/clock.ts";
import type { EventLog } from "../core/events/log.ts";
import { keptEvents, keptEventsMs } from "../core/limits.ts";
import type { Read } from "../core/transaction.ts";
import type { Writer } from "./writer.ts";

export interface Retention {
  /** Events younger than this are kept. Milliseconds. */
  readonly minAgeMs: number;
  /** At least so many events are kept, whatever their age. */
  readonly minEvents: number;
}

export const defaultRetention: Retention = { minAgeMs: keptEventsMs, minEvents: keptEvents };

const periodMs = 60_000;
/** A wall clock that jumped ahead costs at most a tenth of the log an hour, whatever the number of nodes that prune and know of each other. */
const shareOfAll = 1 / 10 / 60;
const chunkRows = 500;
const sessionGraceMs = 24 * 3_600_000;

/** The oldest run of positions that may go: no more than a round's share of the log, and not the newest. */
async function findRun(read: Read, log: EventLog, { minEvents }: Retention, nodes: number): Promise<{ first: number; last: number }> {
  const oldest = await read.get<{ seq: number }>("select seq from event order by seq limit 1", []);
  const first = oldest?.seq ?? log.head.seq;
  const share = Math.ceil(((log.head.seq - first + 1) * shareOfAll) / nodes);
  return { first, last: Math.min(log.head.seq - Math.max(minEvents, 1), first + share - 1) };
}

interface RetentionOptions {
  readonly read: Read;
  readonly log: EventLog;
  readonly writer: Writer;
  readonly clock: Clock;
  /** How many nodes prune this log. */
  readonly nodes: () => number;
  readonly onError: (error: unknown) => void;
}

/** Prunes once a minute; returns the way to stop. */
export function startRetention({ read, log, writer, clock, nodes, onError }: RetentionOptions, retention: Retention): () => void {
  async function pruneEvents(): Promise<void> {
    const { first, last } = await findRun(read, log, retention, nodes());
    for (let from = first; from <= last; from += chunkRows) {
      const to = Math.min(from + chunkRows - 1, last);
      const young = await read.get<{ seq: number }>("select seq from event where seq between ? and ? and at > ? order by seq limit 1", [
        from,
        to,
        clock.now() - retention.minAgeMs,
      ]);
      if (young?.seq === from) return;
      await writer.maintain((connection) =>
        connection.run("delete from event where seq between ? and ?", [from, young ? young.seq - 1 : to]),
      );
      if (young) return;
    }
  }

  /** Of the sessions too no more than a share: those of a clock that was ahead for a minute are still there when it is right again. */
  async function pruneSessions(): Promise<void> {
    const oldest = await read.get<{ id: number }>("select id from session order by id limit 1", []);
    const newest = await read.get<{ id: number }>("select id from session order by id desc limit 1", []);
    if (!oldest || !newest) return;
    const share = Math.ceil(((newest.id - oldest.id + 1) * shareOfAll) / nodes());
    for (let left = share; left > 0; left -= chunkRows) {
      const sql = "select id from session where expires_at < ? order by expires_at limit ?";
      const params = [clock.now() - sessionGraceMs, Math.min(left, chunkRows)];
      if (!(await read.get(sql, params))) return;
      await writer.maintain((connection) => connection.run(`delete from session where id in (${sql})`, params));
    }
  }

  async function prune(): Promise<void> {
    await pruneEvents();
    await pruneSessions();
  }
  return clock.every(periodMs, () => void prune().catch(onError));
}
