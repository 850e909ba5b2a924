/** Owns reading the log for a procedure: a page of it, or an iteration that follows it. */
import { tracked } from "@trpc/server";
import { AppError } from "../errors.ts";
import { maxAnswerBytes } from "../limits.ts";
import type { Sink, Wire } from "./feed.ts";
import type { Feeds } from "./feeds.ts";
import type { EventReader, Follow, FollowOptions, LoggedItem } from "./follow.ts";

/** What stands around the events is less than the rest of an answer. */
const pageBytes = maxAnswerBytes - 1024;
/** What stands around an event's data, its id among it. */
const itemBytes = 128;
/** How many positions a page reads, whatever its filter finds there. */
const maxScanned = 10_000;
/** Where a piece had nothing to show, the next one is longer. */
const maxPieceEvents = 256;

interface Parcel {
  readonly item: unknown;
  readonly size: number;
}

/** What a subscription yields: tracked where there is an id, so that tRPC's own reconnect resumes. */
const itemWire: Wire<Parcel[]> = {
  shared: false,
  encode(event, payload, id) {
    const value = { event, data: JSON.parse(payload) as unknown };
    return [{ item: id === undefined ? value : tracked(id, value), size: payload.length }];
  },
  join: (frames) => frames.flat(),
};

/** Iterates a feed at the pace of its reader; events that are not read yet stay in the log. */
async function* iterate(feeds: Feeds, { cursor, channels, address, signal, isFresh }: FollowOptions) {
  const parcels: Parcel[] = [];
  let backlog = 0;
  let ended = signal?.aborted ?? false;
  let slow = false;
  let wake = () => {};
  const end = () => {
    ended = true;
    wake();
  };
  const sink: Sink<Parcel[]> = {
    get backlog() {
      return backlog;
    },
    write(frame) {
      for (const parcel of frame) {
        parcels.push(parcel);
        backlog += parcel.size;
      }
      wake();
    },
    tooSlow() {
      slow = true;
      end();
    },
  };
  signal?.addEventListener("abort", end, { once: true });
  const feed = await feeds.open({ wire: itemWire, sink, channels, announce: true, address }, { cursor, isFresh });
  try {
    while (!ended) {
      const parcel = parcels.shift();
      if (parcel) {
        backlog -= parcel.size;
        yield parcel.item;
      } else {
        // Before the feed goes on: it may write at once.
        const woken = new Promise<void>((resolve) => {
          wake = resolve;
        });
        feed.resume();
        await woken;
      }
    }
  } finally {
    feed.close();
    signal?.removeEventListener("abort", end);
  }
  // An error after which tRPC's clients reconnect; after a plain end they would not.
  if (slow) throw new AppError("SERVICE_UNAVAILABLE", "Too slow: resume from your cursor.");
}

export function createEventReader(feeds: Feeds): EventReader {
  const { log, turns } = feeds;
  return {
    async list({ cursor, limit, channels, address, signal, isFresh }) {
      if (!isFresh) await log.fresh();
      const head = log.head;
      if (cursor === undefined) return { events: [], cursor: head.id };
      const location = await log.locate(cursor);
      if ("reason" in location) {
        return { events: [{ id: head.id, event: "resync", data: { reason: location.reason, cursor: head.id } }], cursor: head.id };
      }
      let { position } = location;
      const page = { events: [] as LoggedItem[], bytes: 0 };
      const end = Math.min(head.seq, position.seq + maxScanned);
      const wanted = () => !signal?.aborted;
      for (let count = limit; page.events.length < limit && position.seq < end && wanted(); ) {
        const next = await turns.take(address, () => log.after(position.seq, count, channels), wanted);
        // Positions have no holes: where one was pruned under this walk, the cursor it ends with is told so.
        if (next?.[0]?.seq !== position.seq + 1) break;
        const found = page.events.length;
        for (const { seq, id, name, channel_id, payload } of next) {
          if (payload !== null && (!channels || channel_id === null || channels.has(channel_id))) {
            page.bytes += Buffer.byteLength(payload) + itemBytes;
            if (page.events.length === limit || (page.events.length > 0 && page.bytes > pageBytes))
              return { events: page.events, cursor: position.id };
            page.events.push({ id, event: name, data: JSON.parse(payload) as unknown });
          }
          position = { seq, id };
        }
        count = page.events.length > found ? limit - page.events.length : Math.min(4 * count, maxPieceEvents);
      }
      return { events: page.events, cursor: position.id };
    },

    follow<Item>(options: FollowOptions): Follow<Item> {
      const { cursor, channels } = options;
      return { cursor, channels, [Symbol.asyncIterator]: () => iterate(feeds, options) as AsyncGenerator<Item, void> };
    },
  };
}
