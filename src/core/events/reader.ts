/** Owns reading the log for a procedure: a page of it, or an iteration that follows it. */
import { tracked } from "@trpc/server";
import type { EventReader, Follow, LoggedItem } from "../context.ts";
import { AppError } from "../errors.ts";
import { type Sink, type Wire, yieldToOthers } from "./feed.ts";
import type { Feeds } from "./feeds.ts";

const scanEvents = 500;

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

/** Iterates a feed at the pace of whoever asks; what is not asked for stays in the log. */
async function* iterate(
  feeds: Feeds,
  options: { cursor: string | undefined; channels: ReadonlySet<number> | undefined; signal: AbortSignal | undefined },
) {
  const { cursor, channels, signal } = options;
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
  const feed = await feeds.open({ wire: itemWire, sink, channels, announce: true }, cursor);
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
  // An error tRPC's clients come back from; after a plain end they would think that all is said.
  if (slow) throw new AppError("SERVICE_UNAVAILABLE", "Too slow: resume from your cursor.");
}

export function createEventReader(feeds: Feeds): EventReader {
  const { log } = feeds;
  return {
    async list({ cursor, limit, channels }) {
      await log.fresh();
      const head = log.head;
      if (cursor === undefined) return { events: [], cursor: head.id };
      const location = await log.locate(cursor);
      if ("reason" in location) {
        return { events: [{ id: head.id, event: "resync", data: { reason: location.reason, cursor: head.id } }], cursor: head.id };
      }
      let { position } = location;
      const events: LoggedItem[] = [];
      while (events.length < limit && position.seq < head.seq) {
        const next = await log.after(position.seq, scanEvents);
        // Positions have no holes: where one was pruned under this walk, the cursor it ends with is told so.
        if (next[0]?.seq !== position.seq + 1) break;
        for (const { seq, id, name, channelId, payload } of next) {
          position = { seq, id };
          if (payload === null || (channels && channelId !== null && !channels.has(channelId))) continue;
          events.push({ id, event: name, data: JSON.parse(payload) as unknown });
          if (events.length === limit) break;
        }
        await yieldToOthers();
      }
      return { events, cursor: position.id };
    },

    follow<Item>({
      cursor,
      channels,
      signal,
    }: {
      cursor?: string | undefined;
      channels?: ReadonlySet<number> | undefined;
      signal?: AbortSignal | undefined;
    }): Follow<Item> {
      return { cursor, channels, [Symbol.asyncIterator]: () => iterate(feeds, { cursor, channels, signal }) as AsyncGenerator<Item, void> };
    },
  };
}
