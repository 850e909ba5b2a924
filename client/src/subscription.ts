/** Owns a subscription, independent of its socket. */
import type { KeenchatError } from "./errors.ts";
import type { Place } from "./stream.ts";

/** One subscription, which may continue over several sockets. */
export interface SubscriptionOptions {
  readonly path: string;
  readonly input: object;
  /** The cursor to resume from; each item moves it. */
  readonly lastEventId?: string | undefined;
  readonly onItem: (item: unknown, place: Place) => void;
  /** The subscription has ended; with an error if the server refused it. */
  readonly onEnd: (error?: KeenchatError) => void;
  /** Whether the items after this one are live. Default: live from the start. */
  readonly catchesUp?: (item: unknown) => boolean;
}

export interface Subscription {
  readonly options: SubscriptionOptions;
  rpcId: number;
  lastEventId: string | undefined;
  live: boolean;
  retry: ReturnType<typeof setTimeout> | undefined;
}
