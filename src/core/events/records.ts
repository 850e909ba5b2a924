/** Owns reading the table of events: a piece of it at a time, which ends at its bytes too. */
import type { Param, Read } from "../transaction.ts";
import { visible } from "../visible.ts";

/** An event as the table has it. */
export interface EventRecord {
  readonly seq: number;
  readonly tag: string;
  readonly name: string;
  readonly channel_id: number | null;
  readonly message_id: number | null;
  readonly payload: string | null;
  readonly at: number;
}

export interface Piece {
  /** The positions to look at: those behind the first up to and including the second. */
  readonly after: number;
  readonly to: number;
  /** At most so many events that pass the filter, and the bytes of their payloads together. The first one is there whatever its size. */
  readonly limit: number;
  readonly bytes: number;
  /** Only events of these channels, and events that belong to no channel. Undefined: all. */
  readonly channels?: ReadonlySet<number> | undefined;
}

const columns = "event.seq, tag, name, channel_id, message_id, payload, at";
/** A filter's channels are filled up to one of these numbers, so that there are few statements to prepare. */
const filterSizes = [1, 4, 20, 100];

interface Filter {
  readonly sql: string;
  readonly params: readonly number[];
}

function filterOf(channels: ReadonlySet<number> | undefined): Filter {
  const [first, ...others] = channels ?? [];
  if (first === undefined) return { sql: "1 = 1", params: [] };
  const size = filterSizes.find((known) => known > others.length) ?? others.length + 1;
  const params = [first, ...others, ...new Array<number>(size - others.length - 1).fill(first)];
  return { sql: `(channel_id is null or channel_id in (${params.map(() => "?").join(", ")}))`, params };
}

/**
 * The events of a piece in order. The first and the last one it looked at are always among them, so that a reader sees where the log
 * has a hole, and where to go on; in between those that do not pass the filter are left out. Both databases find how long a payload
 * is without reading it.
 */
export function readPiece(read: Read, { after, to, limit, bytes, channels }: Piece): Promise<EventRecord[]> {
  const filter = filterOf(channels);
  const counted = `select seq,
      sum(case when ${filter.sql} then coalesce(octet_length(payload), 0) else 0 end) over (order by seq) as bytes,
      sum(case when ${filter.sql} then 1 else 0 end) over (order by seq) as events
    from event where seq > ? and seq <= ?`;
  const last = `select coalesce(max(seq), ? + 1) as last_seq from (${counted}) as counted where bytes <= ? and events <= ?`;
  const sql = `with last as (${last}) select ${columns} from ${visible("event")} cross join last
    where event.seq > ? and event.seq <= last_seq and (${filter.sql} or event.seq = ? + 1 or event.seq = last_seq) order by event.seq`;
  const params: Param[] = [after, ...filter.params, ...filter.params, after, to, bytes, limit, after, ...filter.params, after];
  return read.all<EventRecord>(sql, params);
}
