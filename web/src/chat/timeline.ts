/** Owns the messages of one channel that this page has: ascending, each once, without a gap from the first to the newest. */
import type { Message } from "@keenchat/client";

export interface Timeline {
  readonly messages: readonly Message[];
  /** Whether the server has older ones. */
  readonly hasOlder: boolean;
  readonly state: "loading" | "ready" | "failed";
}

export const emptyTimeline: Timeline = { messages: [], hasOlder: false, state: "loading" };

/** More than this is let go of while nobody looks at it; scrolling up brings it back. */
const keptMessages = 400;

function indexOf(messages: readonly Message[], id: number): number {
  let [low, high] = [0, messages.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((messages[middle]?.id ?? 0) < id) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Puts whole messages in their places. One that is older than what is there already changes nothing. */
export function merge(timeline: Timeline, added: readonly Message[]): Timeline {
  const messages = [...timeline.messages];
  let changed = false;
  for (const message of added) {
    const index = indexOf(messages, message.id);
    const present = messages[index];
    if (present?.id !== message.id) messages.splice(index, 0, message);
    else if ((message.edited_at ?? 0) > (present.edited_at ?? 0)) messages[index] = message;
    else continue;
    changed = true;
  }
  return changed ? { ...timeline, messages } : timeline;
}

/** Puts a page of older messages in front. */
export function prepend(timeline: Timeline, page: readonly Message[], hasOlder: boolean): Timeline {
  const first = timeline.messages[0]?.id ?? Number.POSITIVE_INFINITY;
  return { ...timeline, messages: [...page.filter(({ id }) => id < first), ...timeline.messages], hasOlder };
}

/** A change of a message this page does not have concerns nobody here. */
export function change(timeline: Timeline, message: Message): Timeline {
  return timeline.messages[indexOf(timeline.messages, message.id)]?.id === message.id ? merge(timeline, [message]) : timeline;
}

export function remove(timeline: Timeline, id: number): Timeline {
  const index = indexOf(timeline.messages, id);
  if (timeline.messages[index]?.id !== id) return timeline;
  return { ...timeline, messages: timeline.messages.toSpliced(index, 1) };
}

export function trim(timeline: Timeline): Timeline {
  if (timeline.messages.length <= keptMessages * 2) return timeline;
  return { ...timeline, messages: timeline.messages.slice(-keptMessages), hasOlder: true };
}
