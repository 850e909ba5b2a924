/** Owns what each event changes in what the page knows. */
import type { KeenchatEvent, Message } from "@keenchat/client";
import type { State } from "./state.ts";
import { withEntry } from "./store.ts";
import { change, merge, remove, type Timeline } from "./timeline.ts";

function withTimeline(state: State, channelId: number, update: (timeline: Timeline) => Timeline): Partial<State> {
  const timeline = state.timelines.get(channelId);
  return timeline ? { timelines: withEntry(state.timelines, channelId, update(timeline)) } : {};
}

function withTyping(state: State, channelId: number, userId: number, types: boolean): Partial<State> {
  const others = (state.typing.get(channelId) ?? []).filter((id) => id !== userId);
  if (types && userId !== state.self.user_id) others.push(userId);
  return { typing: withEntry(state.typing, channelId, others.length > 0 ? others : undefined) };
}

/** Own messages are never news; others' are until their channel is looked at. */
function withUnread(state: State, message: Message): Partial<State> {
  if (message.user_id === state.self.user_id) return {};
  const { count = 0, first = message.id } = state.unread.get(message.channel_id) ?? {};
  return { unread: withEntry(state.unread, message.channel_id, { count: count + 1, first }) };
}

/** What is gone before it was seen is no news either. */
function withoutUnread(state: State, { id, channel_id }: { id: number; channel_id: number }): Partial<State> {
  const unread = state.unread.get(channel_id);
  if (!unread || id < unread.first) return {};
  return { unread: withEntry(state.unread, channel_id, unread.count > 1 ? { ...unread, count: unread.count - 1 } : undefined) };
}

/** What an event changes of what is shown. */
export function applyEvent(state: State, event: KeenchatEvent): Partial<State> {
  const { channels = new Map() } = state;
  switch (event.event) {
    case "post user":
      return { users: withEntry(state.users, event.data.id, event.data.username) };
    case "post channel":
    case "put channel":
      return { channels: withEntry(channels, event.data.id, event.data) };
    case "delete channel":
      return {
        channels: withEntry(channels, event.data.id, undefined),
        timelines: withEntry(state.timelines, event.data.id, undefined),
        unread: withEntry(state.unread, event.data.id, undefined),
      };
    case "post message": {
      const { data } = event;
      return {
        ...withTimeline(state, data.channel_id, (timeline) => merge(timeline, [data])),
        ...withTyping(state, data.channel_id, data.user_id, false),
        ...withUnread(state, data),
      };
    }
    case "put message":
      return withTimeline(state, event.data.channel_id, (timeline) => change(timeline, event.data));
    case "delete message":
      return {
        ...withTimeline(state, event.data.channel_id, (timeline) => remove(timeline, event.data.id)),
        ...withoutUnread(state, event.data),
      };
    case "start typing":
    case "stop typing":
      return withTyping(state, event.data.channel_id, event.data.user_id, event.event === "start typing");
    case "refresh page":
      return { outdated: true };
    // Who is in the open channel comes with the presence in it, and where this page is in the log is not shown in the
    // chat. Nor is what a newer server tells.
    default:
      return {};
  }
}
