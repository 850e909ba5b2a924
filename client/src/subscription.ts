/** Owns what a subscription is, on whichever socket it runs. */
import type { KeenchatError } from "./errors.ts";
import type { Place } from "./stream.ts";

/** One thing to follow, over as many sockets as it takes. */
export interface SubscriptionOptions {
  readonly path: string;
  readonly input: object;
  /** Where to continue; it moves on by itself. */
  readonly lastEventId?: string | undefined;
  readonly onItem: (item: unknown, place: Place) => void;
  /** Over for good; with an error where the server refused it. */
  readonly onEnd: (error?: KeenchatError) => void;
  /** Whether what follows this item is live. Missing: live from the start. */
  readonly catchesUp?: (item: unknown) => boolean;
}

export interface Subscription {
  readonly options: SubscriptionOptions;
  rpcId: number;
  lastEventId: string | undefined;
  live: boolean;
  retry: ReturnType<typeof setTimeout> | undefined;
}
