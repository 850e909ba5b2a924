/** Owns how many connections each address has: on this node, to the one, and on the others, as last heard: a second ago, unless Redis is away. */
import { z } from "zod";
import { addressKey } from "../../core/address.ts";
import type { Peers } from "../../core/peers.ts";

const Counts = z.array(z.tuple([z.string(), z.int()]));

/** An address with less than this share of the limit on a node is not worth telling the others. */
const toldShare = 1 / 16;
/** In beats. A dead node's people come back at once, and would find no place while its word still held. */
const holds = 3;

export class Addresses {
  readonly #max: number;
  readonly #here = new Map<string, number>();
  /** By node. */
  readonly #elsewhere = new Map<string, ReadonlyMap<string, number>>();

  constructor(max: number, peers: Peers) {
    this.#max = max;
    peers.about("addresses", {
      say: () => [...this.#here].filter(([, count]) => count >= max * toldShare),
      hear: (node, said) => this.#hear(node, said),
      holds,
    });
  }

  /** Whether the address has fewer than it may. */
  hasRoom(address: string): boolean {
    const key = addressKey(address);
    let all = this.#here.get(key) ?? 0;
    for (const counts of this.#elsewhere.values()) all += counts.get(key) ?? 0;
    return all < this.#max;
  }

  /** Counts one more, unless the address has as many as it may: then false. */
  take(address: string): boolean {
    if (!this.hasRoom(address)) return false;
    const key = addressKey(address);
    this.#here.set(key, (this.#here.get(key) ?? 0) + 1);
    return true;
  }

  release(address: string): void {
    const key = addressKey(address);
    const left = (this.#here.get(key) ?? 1) - 1;
    if (left === 0) this.#here.delete(key);
    else this.#here.set(key, left);
  }

  #hear(node: string, said: unknown): void {
    const { success, data } = Counts.safeParse(said);
    if (success && data.length > 0) this.#elsewhere.set(node, new Map(data));
    else this.#elsewhere.delete(node);
  }
}
