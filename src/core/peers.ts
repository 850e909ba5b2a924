/**
 * Owns the peers: each node beats once a second, with its state of a few topics in every beat. A node that falls silent is
 * forgotten after a number of this node's own beats came back through the bus. The bus is the clock, so no node is forgotten because
 * the bus is away, this node was stopped, or clocks differ. The state of one topic may be forgotten earlier.
 */
import { z } from "zod";
import type { Bus } from "./bus.ts";
import type { Clock } from "./clock.ts";

/** One topic of the state that nodes send about themselves. */
export interface PeerTopic {
  /** The report of this node; JSON. */
  say(): unknown;
  /** Takes the report of another node; undefined: its last report is no longer valid. A newer version may send a form that is not known here. */
  hear(node: string, said: unknown): void;
  /** For how many of our own beats that came back the word of a silent node holds; missing: until the node is forgotten. */
  readonly holds?: number;
}

/** `says` is by topic; null: the node leaves. */
const Beat = z.object({ node: z.string(), says: z.record(z.string(), z.unknown()).nullable() });

const busTopic = "peers";
const beatMs = 1_000;
const maxSilence = 15;

export class Peers {
  /** This node's name on the bus: another one for each start. */
  readonly node: string;
  readonly #bus: Bus;
  readonly #topics = new Map<string, PeerTopic>();
  /** Our own beats that came back since the last sign of life of each. */
  readonly #silence = new Map<string, number>();
  readonly #stop: (() => void)[];

  constructor(bus: Bus, clock: Clock, node: string) {
    this.node = node;
    this.#bus = bus;
    this.#stop = [bus.subscribe(busTopic, (text) => this.#receive(text)), clock.every(beatMs, () => this.#beat())];
  }

  /** How many nodes there are, this one among them. */
  get size(): number {
    return this.#silence.size + 1;
  }

  /** Adds a topic to every beat from the next one on. */
  about(name: string, topic: PeerTopic): void {
    this.#topics.set(name, topic);
  }

  /** Counts any other message of a node as a sign of life. */
  heard(node: string): void {
    if (node !== this.node) this.#silence.set(node, 0);
  }

  close(): void {
    for (const stop of this.#stop) stop();
    this.#send(null);
  }

  #send(says: z.infer<typeof Beat>["says"]): void {
    this.#bus.publish(busTopic, JSON.stringify({ node: this.node, says }));
  }

  #beat(): void {
    this.#send(Object.fromEntries([...this.#topics].map(([name, topic]) => [name, topic.say()])));
  }

  #receive(text: string): void {
    const { success, data } = Beat.safeParse(JSON.parse(text));
    if (!success) return;
    const { node, says } = data;
    if (node === this.node) this.#countSilence();
    else if (says === null) this.#forget(node);
    else {
      this.heard(node);
      for (const [name, topic] of this.#topics) if (says[name] !== undefined) topic.hear(node, says[name]);
    }
  }

  #countSilence(): void {
    for (const [node, silence] of this.#silence) {
      if (silence >= maxSilence) {
        this.#forget(node);
        continue;
      }
      this.#silence.set(node, silence + 1);
      for (const topic of this.#topics.values()) if (topic.holds === silence) topic.hear(node, undefined);
    }
  }

  #forget(node: string): void {
    if (this.#silence.delete(node)) for (const topic of this.#topics.values()) topic.hear(node, undefined);
  }
}
