/** Owns server-sent events: the same feed as every other wire, written to an HTTP answer. */
import type { ServerResponse } from "node:http";
import type { Clock } from "../../core/clock.ts";
import type { Context } from "../../core/context.ts";
import { AppError } from "../../core/errors.ts";
import type { Feed, Sink } from "../../core/events/feed.ts";
import type { Feeds } from "../../core/events/feeds.ts";
import type { Follow } from "../../core/events/follow.ts";
import { sseWire } from "../../core/events/wires.ts";
import { closeWithinMs, heartbeatMs } from "../../core/limits.ts";
import { callProcedure } from "../calls/procedures.ts";
import { setStreamHeaders } from "../http/event-stream.ts";
import { single } from "../http/gate.ts";
import type { Exchange } from "../http/http.ts";
import type { Connections } from "../socket/connections.ts";

export interface StreamOptions {
  readonly feeds: Feeds;
  readonly connections: Connections;
  readonly clock: Clock;
}

const comment = Buffer.from(": keep-alive\n\n");

/**
 * Gives a streamed answer its place among the connections: it ends with its session and with the server.
 * @throws AppError TOO_MANY_REQUESTS where its address has too many already.
 */
function holdOpen(
  response: ServerResponse,
  { caller, origin }: Pick<Context, "caller" | "origin">,
  { connections, clock }: Pick<StreamOptions, "connections" | "clock">,
): void {
  const end = () => {
    response.end();
    clock.after(closeWithinMs, () => response.destroy());
  };
  const slot = connections.open({ address: origin.address, end, caller });
  if (!slot) throw new AppError("TOO_MANY_REQUESTS", "Too many connections from this address.", { retryAfterSeconds: 10 });
  response.once("close", () => slot.close());
}

/** Follows the log until the client goes away, its session ends or the server stops. */
export async function streamEvents(
  exchange: Exchange,
  context: Context,
  input: Record<string, unknown>,
  options: StreamOptions,
): Promise<void> {
  const { request, response, target } = exchange;
  const { feeds, clock } = options;
  // What a browser sends by itself when it comes back is newer than anything in the URL; what stands in for browsers writes it there.
  const given = request.headers["last-event-id"] || single(target.query, "lastEventId") || input["cursor"];
  const { cursor, channels } = (await callProcedure("events", context, async () => ({
    channel_id: input["channel_id"],
    lastEventId: given,
  }))) as Follow<unknown>;

  setStreamHeaders(response);
  if (request.method === "HEAD") {
    response.end();
    return;
  }
  holdOpen(response, context, options);
  response.flushHeaders();

  const sink: Sink<Buffer> = {
    get backlog() {
      return response.writableLength;
    },
    write: (frame) => void response.write(frame),
    tooSlow: () => response.destroy(),
  };
  const stopHeartbeat = clock.every(heartbeatMs, () => {
    if (response.writableLength === 0) response.write(comment);
  });
  let closed = false;
  let feed: Feed<Buffer> | undefined;
  response.once("close", () => {
    closed = true;
    stopHeartbeat();
    feed?.close();
  });
  feed = await feeds.open({ wire: sseWire, sink, channels, announce: true, address: context.origin.address }, cursor);
  if (closed) feed.close();
  response.on("drain", () => feed.resume());
}
