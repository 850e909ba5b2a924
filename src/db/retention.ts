/** Owns what the log forgets: events past their age and their number, a little at a time, so that nobody waits. */
import type { Clock } from "../core/clock.ts";
import type { Read } from "../core/context.ts";
import type { EventLog } from "../core/events/log.ts";
import type { Writer } from "./writer.ts";

export interface Retention {
  /** Events younger than this are kept. Milliseconds. */
  readonly minAgeMs: number;
  /** At least so many events are kept, whatever their age. */
  readonly minEvents: number;
}

export const defaultRetention: Retention = { minAgeMs: 72 * 3_600_000, minEvents: 100_000 };

const periodMs = 60_000;
/** A wall clock that jumped ahead costs at most a tenth of the log an hour, whatever the number of nodes that prune and know of each other. */
const shareOfAll = 1 / 10 / 60;
const chunkEvents = 500;
const sessionGraceMs = 24 * 3_600_000;

/** The last position that may go: an unbroken run from the oldest, all of it old enough, no more than a round's share. */
async function findLast(
  read: Read,
  log: EventLog,
  clock: Clock,
  retention: Retention,
  nodes: number,
): Promise<{ first: number; last: number } | undefined> {
  const oldest = await read.get<{ seq: number }>("select seq from event order by seq limit 1", []);
  if (!oldest) return undefined;
  const first = oldest.seq;
  const share = Math.ceil(((log.head.seq - first + 1) * shareOfAll) / nodes);
  const bound = Math.min(log.head.seq - Math.max(retention.minEvents, 1), first + share - 1);
  const young = await read.get<{ seq: number }>("select seq from event where seq between ? and ? and at > ? order by seq limit 1", [
    first,
    bound,
    clock.now() - retention.minAgeMs,
  ]);
  const last = young ? young.seq - 1 : bound;
  return last < first ? undefined : { first, last };
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
  async function prune(): Promise<void> {
    const run = await findLast(read, log, clock, retention, nodes());
    for (let from = run?.first ?? 1; run && from <= run.last; from += chunkEvents) {
      const to = Math.min(from + chunkEvents - 1, run.last);
      await writer.maintain((connection) => connection.run("delete from event where seq between ? and ?", [from, to]));
    }
    const count = (await read.get<{ count: number }>("select count(*) as count from session", []))?.count ?? 0;
    // Of the sessions too no more than a share: those of a clock that was ahead for a minute are still there when it is right again.
    await writer.maintain((connection) =>
      connection.run("delete from session where id in (select id from session where expires_at < ? order by expires_at limit ?)", [
        clock.now() - sessionGraceMs,
        Math.ceil((count * shareOfAll) / nodes()),
      ]),
    );
  }
  return clock.every(periodMs, () => void prune().catch(onError));
}
