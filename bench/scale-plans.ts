/** Owns what is measured for the simulation: what its constants are taken from, and what it is then held against. No plan is in both. */
import type { ClusterPlan } from "./cluster.ts";

/** Named by what they tell. */
export const fitted = {
  /** One after the other: what of a post is waiting and not work. */
  single: { nodes: 1, readers: 0, messages: 1_500, inFlight: 1 },
  /** Small commits and large ones: what a commit costs, and what a message in it. */
  small: { nodes: 1, readers: 0, messages: 6_000, inFlight: 8 },
  large: { nodes: 1, readers: 0, messages: 20_000, inFlight: 128 },
  /** The same with a node that only follows. */
  followedSmall: { nodes: 2, posting: 1, readers: 0, messages: 6_000, inFlight: 8 },
  followedLarge: { nodes: 2, posting: 1, readers: 0, messages: 20_000, inFlight: 128 },
  /** Two nodes that post, without readers and with: what it costs to wake where cores are not enough for all. */
  crowded: { nodes: 2, readers: 0, messages: 6_000, inFlight: 16 },
  readCrowded: { nodes: 2, readers: 500, messages: 4_000, inFlight: 16 },
  /** One node with readers: what a write to a socket costs, and what a message in it. */
  readSmall: { nodes: 1, readers: 700, messages: 4_000, inFlight: 8 },
  readLarge: { nodes: 1, readers: 700, messages: 12_000, inFlight: 128 },
  /** Readers whom the messages do not concern. */
  passed: { nodes: 1, readers: 4_000, wire: "elsewhere", messages: 6_000, inFlight: 8 },
} as const satisfies Record<string, ClusterPlan>;

export const checked: readonly ClusterPlan[] = [
  { nodes: 1, readers: 0, messages: 12_000, inFlight: 32 },
  { nodes: 2, readers: 0, messages: 12_000, inFlight: 32 },
  { nodes: 3, readers: 0, messages: 12_000, inFlight: 48 },
  { nodes: 1, readers: 1_000, messages: 4_000, inFlight: 32 },
  { nodes: 2, readers: 1_000, messages: 4_000, inFlight: 64 },
  { nodes: 3, readers: 600, messages: 4_000, inFlight: 48 },
];

export const plans: readonly ClusterPlan[] = [...Object.values(fitted), ...checked];
