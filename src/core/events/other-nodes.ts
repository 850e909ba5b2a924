/** Owns how a node learns what the others have committed: from their messages, and by a look at the table once a second. */
import type { Bus } from "../bus.ts";
import type { Clock } from "../clock.ts";
import type { EventLog } from "./log.ts";

/** The changes of this node. */
interface Commits {
  onCommit(listener: (events: readonly { readonly seq: number }[]) => void): void;
}

const topic = "head";
const lookMs = 1_000;

/** Returns the way to stop. */
export function followOtherNodes(log: EventLog, commits: Commits, bus: Bus, clock: Clock): () => void {
  const look = () => void log.fresh().catch(() => {});
  commits.onCommit((events) => bus.publish(topic, String(events.at(-1)?.seq)));
  const stops = [bus.subscribe(topic, (seq) => Number(seq) > log.head.seq && look()), clock.every(lookMs, look)];
  return () => {
    for (const stop of stops) stop();
  };
}
