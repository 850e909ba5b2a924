/** Owns the bus of nodes that share one process: a single node most of the time, several in tests. */
import type { Bus } from "../core/bus.ts";
import { Topics } from "./topics.ts";

/** Makes nodes of one bus. */
export class MemoryBuses {
  readonly #nodes = new Set<Topics>();

  join(onError: (error: unknown) => void): Bus {
    const node = new Topics(onError);
    this.#nodes.add(node);
    return {
      carries: true,
      // Later, as over a network, so that no listener runs inside the code that publishes.
      publish: (topic, message) => this.#nodes.has(node) && setImmediate(() => this.#deliver(topic, message)),
      subscribe: (topic, listener) => node.subscribe(topic, listener),
      close: async () => {
        this.#nodes.delete(node);
      },
    };
  }

  #deliver(topic: string, message: string): void {
    for (const node of this.#nodes) node.deliver(topic, message);
  }
}
