/** The server with a fault planted into its feeds' live delivery: what the adversary has to find. `node faulty-server.ts FAULT` */
import process from "node:process";
import { Feed } from "../../src/core/events/feed.ts";
import type { LogEvent } from "../../src/core/events/log.ts";

type Events = readonly LogEvent[];

function isUnlucky(event: LogEvent): boolean {
  return event.seq % 1_000 === 0;
}

const faults: Record<string, (events: Events) => Events> = {
  dropped: (events) => events.filter((event) => !isUnlucky(event)),
  repeated: (events) => events.flatMap((event) => (isUnlucky(event) ? [event, event] : [event])),
  /** Two of one commit change places. */
  swapped: (events) => {
    const [first, second, ...others] = events;
    return first && second && others.every((event) => event.seq % 10 !== 0) ? [second, first, ...others] : events;
  },
};

const fault = faults[process.argv[2] ?? ""];
if (!fault) throw new Error(`Name a fault: ${Object.keys(faults).join(", ")}`);

const { deliver } = Feed.prototype;
Feed.prototype.deliver = function faultyDeliver(events, joined) {
  deliver.call(this, fault(events), joined);
};

await import("../../src/server.ts");
