/** Owns server-sent events: the same feed as every other wire, written to an HTTP answer. */
import type { ServerResponse } from "node:http";
import type { Clock } from "../../core/clock.ts";
import type { Context } from "../../core/context.ts";
import type { Feed, Sink } from "../../core/events/feed.ts";
import type { Feeds } from "../../core/events/feeds.ts";
import type { Follow } from "../../core/events/follow.ts";
import { sseWire } from "../../core/events/wires.ts";
import { closeWithinMs } from "../../core/limits.ts";
import { callProcedure } from "../calls/procedures.ts";
import { setStreamHeaders } from "../http/event-stream.ts";
import { single } from "../http/gate.ts";
import type { Exchange } from "../http/http.ts";
import { Connection, type Connections } from "../socket/connections.ts";

export interface StreamOptions {
  readonly feeds: Feeds;
  readonly connections: Connections;
  readonly clock: Clock;
}

const comment = Buffer.from(": keep-alive\n\n");

/** One open stream of events. */
class EventStream extends Connection implements Sink<Buffer> {
  readonly #response: ServerResponse;
  readonly #clock: Clock;

  constructor(response: ServerResponse, context: Context, { connections, clock }: StreamOptions) {
    super(connections, context);
    this.#response = response;
    this.#clock = clock;
    response.once("close", () => this.leave());
  }

  get backlog(): number {
    return this.#response.writableLength;
  }

  write(frame: Buffer): void {
    this.#response.write(frame);
  }

  tooSlow(): void {
    this.#response.destroy();
  }

  override end(): void {
    this.#response.end();
    this.#response.once(
      "close",
      this.#clock.after(closeWithinMs, () => this.#response.destroy()),
    );
  }

  override beat(): void {
    if (this.backlog === 0) this.#response.write(comment);
  }
}

/** Follows the log until the client goes away, its session ends or the server stops. */
export async function streamEvents(
  exchange: Exchange,
  context: Context,
  input: Record<string, unknown>,
  options: StreamOptions,
): Promise<void> {
  const { request, response, target } = exchange;
  // A browser that reconnects sends the header, which is newer than the URL. Polyfills write the id into the URL.
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
  const stream = new EventStream(response, context, options);
  options.connections.open(stream);
  response.flushHeaders();

  let closed = false;
  let feed: Feed<Buffer> | undefined;
  response.once("close", () => {
    closed = true;
    feed?.close();
  });
  const { isFresh, origin } = context;
  const feedOptions = { wire: sseWire, sink: stream, channels, announce: true, address: origin.address };
  feed = await options.feeds.open(feedOptions, { cursor, isFresh });
  if (closed) feed.close();
  response.on("drain", () => feed.resume());
}
