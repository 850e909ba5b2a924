/** Owns what is unread in each channel while the page is open. */
import type { KeenchatEvent } from "@keenchat/client";
import { useEvents } from "@keenchat/client/react";
import { useCallback, useReducer } from "react";

export interface Unread {
  readonly count: number;
  /** The first message that was not seen: where the line goes. */
  readonly first: number;
}

type ByChannel = ReadonlyMap<number, Unread>;

type Happening = { readonly selfId: number } & (KeenchatEvent | { readonly event: "seen"; readonly data: { readonly id: number } });

function withUnread(channels: ByChannel, id: number, unread: Unread | undefined): ByChannel {
  const copy = new Map(channels);
  if (unread) copy.set(id, unread);
  else copy.delete(id);
  return copy;
}

function reduce(channels: ByChannel, { selfId, event, data }: Happening): ByChannel {
  switch (event) {
    case "post message": {
      // The user's own messages are never unread; others are until their channel is shown.
      if (data.user_id === selfId) return channels;
      const { count = 0, first = data.id } = channels.get(data.channel_id) ?? {};
      return withUnread(channels, data.channel_id, { count: count + 1, first });
    }
    case "delete message": {
      // A message that was removed before it was seen is not unread either.
      const unread = channels.get(data.channel_id);
      if (!unread || data.id < unread.first) return channels;
      return withUnread(channels, data.channel_id, unread.count > 1 ? { ...unread, count: unread.count - 1 } : undefined);
    }
    case "delete channel":
    case "seen":
      return channels.has(data.id) ? withUnread(channels, data.id, undefined) : channels;
    case "resync":
      return new Map();
    default:
      return channels;
  }
}

/** The unread messages, and a function that marks a channel as seen. */
export function useUnread(selfId: number): [ByChannel, (channelId: number) => void] {
  const [channels, tell] = useReducer(reduce, new Map());
  useEvents((event) => tell({ ...event, selfId }));
  return [channels, useCallback((id: number) => tell({ event: "seen", data: { id }, selfId }), [selfId])];
}
