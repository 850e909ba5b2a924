/** Owns what a shim socket's URL asks of its feed: the cursor to begin after, and the channels. */
import { single, type Target } from "../http/gate.ts";
import { fromQuery } from "../http/url-fields.ts";

/** As the client sent it; the procedure's schema checks it. */
export interface FeedRequest {
  readonly cursor: string | undefined;
  readonly channelIds: unknown;
}

/** @throws AppError BAD_REQUEST where a parameter is repeated. */
export function readFeedRequest(query: Target["query"]): FeedRequest {
  return { cursor: single(query, "cursor"), channelIds: fromQuery(query, "channel_id", "numbers") };
}
