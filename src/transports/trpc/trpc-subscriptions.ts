/** Owns the subscriptions of one tRPC socket: `events` as a feed that writes tRPC's frames, others by iteration. */
import type { Context } from "../../core/context.ts";
import { AppError } from "../../core/errors.ts";
import type { Follow } from "../../core/events/follow.ts";
import { trpcWire } from "../../core/events/wires.ts";
import { maxUnreadBytes } from "../../core/limits.ts";
import { callProcedure, definitions, noSuchProcedure } from "../calls/procedures.ts";
import { closeCodes } from "../socket/connections.ts";
import type { WebSocketConnection } from "../socket/websocket-connection.ts";
import type { RpcId, SubscriptionFrame } from "./trpc-frames.ts";
import { Iteration } from "./trpc-iteration.ts";

/** What a subscription is once it has begun: a feed, or an iteration. */
interface Running {
  close(): void;
  resume(): void;
}

/** The socket's side. */
export interface Subscriber {
  readonly connection: WebSocketConnection;
  createContext(): Promise<Context>;
  send(message: object): void;
  sendError(id: RpcId, error: unknown, path: string): void;
}

export class Subscriptions {
  readonly #subscriber: Subscriber;
  readonly #running = new Map<RpcId, Running | undefined>();

  constructor(subscriber: Subscriber) {
    this.#subscriber = subscriber;
  }

  has(id: RpcId): boolean {
    return this.#running.has(id);
  }

  /** The client has taken what waited for it. */
  resume(): void {
    for (const running of this.#running.values()) running?.resume();
  }

  close(): void {
    for (const running of this.#running.values()) running?.close();
    this.#running.clear();
  }

  start(frame: SubscriptionFrame): void {
    const { id, path } = frame;
    const { connection, sendError } = this.#subscriber;
    const { options, requestId } = connection;
    if (this.#running.size >= options.limits.subscriptionsPerSocket) {
      sendError(id, new AppError("TOO_MANY_REQUESTS", "Too many subscriptions on this socket.", { retryAfterSeconds: 1 }), path);
    } else if (path !== "events") void this.#iterate(frame);
    else {
      this.#running.set(id, undefined);
      this.#follow(frame).catch((error: unknown) => options.onError(error, requestId));
    }
  }

  stop(id: RpcId): void {
    const running = this.#running.get(id);
    if (!this.#running.has(id)) return;
    running?.close();
    // An iteration says by itself when it has ended; until then its id is in use.
    if (running instanceof Iteration) return;
    this.#running.delete(id);
    this.#subscriber.send({ id, result: { type: "stopped" } });
  }

  /** The procedure checks input and rights; the feed writes the rest. */
  async #follow({ id, path, input }: SubscriptionFrame): Promise<void> {
    const { connection, createContext, send, sendError } = this.#subscriber;
    let follow: Follow<unknown>;
    try {
      follow = (await callProcedure(path, await createContext(), async () => input)) as Follow<unknown>;
    } catch (error) {
      if (this.#running.delete(id)) sendError(id, error, path);
      return;
    }
    if (!this.#running.has(id)) return;
    send({ id, result: { type: "started" } });
    const { channels, cursor } = follow;
    const opening = connection.options.feeds.open(
      { wire: trpcWire(id), sink: connection, channels, announce: true, address: connection.origin.address },
      { cursor },
    );
    // Where the log cannot be read the client is sent away: it comes back with its cursor, where after an error it would not.
    const feed = await opening.catch((error: unknown) => {
      connection.end(closeCodes.goingAway, "no events to follow");
      throw error;
    });
    if (this.#running.has(id) && connection.open) this.#running.set(id, feed);
    else feed.close();
  }

  async #iterate({ id, jsonrpc, path, input }: SubscriptionFrame): Promise<void> {
    const { connection, createContext, send, sendError } = this.#subscriber;
    const iteration = new Iteration({
      backlog: () => connection.backlog,
      highWaterBytes: maxUnreadBytes,
      send: (result) => {
        if ("type" in result && result.type === "stopped") this.#running.delete(id);
        send({ id, jsonrpc, result });
      },
    });
    this.#running.set(id, iteration);
    try {
      await iteration.run(async (signal) => {
        if (definitions.get(path)?.type !== "subscription") throw noSuchProcedure(path, "subscription");
        return callProcedure(path, await createContext(), async () => input, signal);
      });
    } catch (error) {
      this.#running.delete(id);
      sendError(id, error, path);
    }
  }
}
