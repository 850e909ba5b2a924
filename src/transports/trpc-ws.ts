/** Owns tRPC over WebSocket: calls go to tRPC's own adapter, `events` subscriptions to a feed that writes tRPC's frames itself. */
import { EventEmitter } from "node:events";
import { IncomingMessage } from "node:http";
import { Socket as NetSocket } from "node:net";
import { getErrorShape, getTRPCErrorFromUnknown } from "@trpc/server";
import { getWSConnectionHandler } from "@trpc/server/adapters/ws";
import type { WebSocket, WebSocketServer } from "ws";
import { appRouter } from "../api.ts";
import type { Caller, Context, Follow, Socket } from "../core/context.ts";
import { AppError, describeError } from "../core/errors.ts";
import type { Feed } from "../core/events/feed.ts";
import { textFrame, trpcWire } from "../core/events/wires.ts";
import { createContext } from "../core/services.ts";
import { closeCodes } from "./connections.ts";
import type { Target } from "./gate.ts";
import { callProcedure } from "./procedures.ts";
import type { Connection, Protocol } from "./socket.ts";
import { maxBatchSize } from "./trpc-answer.ts";

/** Every frame of a subscription repeats its id. */
const maxIdLength = 64;
const paramsWithinMs = 10_000;

type RpcId = number | string;

interface RpcMessage {
  readonly id: RpcId | null;
  readonly method?: unknown;
  readonly params?: { readonly path?: unknown; readonly input?: unknown; readonly lastEventId?: unknown };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Whether the client says it will send its connection parameters first. */
export function announcesParams(target: Target): boolean {
  return target.query.get("connectionParams")?.[0] === "1";
}

/** Whether a socket's first frame is tRPC's: a frame, or a batch of them, with a `method` and no `event`. */
export function isTrpcFrame(text: string): boolean {
  try {
    const frame: unknown = JSON.parse(text);
    const first: unknown = Array.isArray(frame) ? frame[0] : frame;
    return isObject(first) && typeof first["method"] === "string" && !("event" in first);
  } catch {
    return false;
  }
}

function isRpcId(id: unknown): id is RpcId {
  return typeof id === "number" || typeof id === "string";
}

/** What tRPC's adapter takes for a ws socket; its frames are counted on the way. */
class AdapterSocket extends EventEmitter {
  readonly readyState = 1;
  readonly #send: (text: string) => void;
  readonly close: () => void;

  constructor(send: (text: string) => void, close: () => void) {
    super();
    this.#send = send;
    this.close = close;
  }

  send(text: string): void {
    this.#send(text);
  }
}

/** The adapter looks at the URL for connection parameters; they have been read by then. */
const bareRequest = Object.assign(new IncomingMessage(new NetSocket()), { url: "/", headers: { host: "localhost" } });

export class TrpcSocket implements Protocol, Socket {
  static readonly pong = textFrame("PONG");

  readonly #connection: Connection;
  readonly #feeds = new Map<RpcId, Feed<Buffer> | undefined>();
  /** Ids of calls and small subscriptions that the adapter has not finished. */
  readonly #calls = new Map<RpcId, "call" | "subscription">();
  /** Calls that wait for one of those; until they are through nothing more is read. */
  readonly #waiting: unknown[] = [];
  #onClose: Map<string, () => void> | undefined;
  #adapter: AdapterSocket | undefined;
  #caller: Promise<Caller | null> | undefined;
  #decoded: unknown;

  /** `announced`: the client has said that its connection parameters come first. */
  constructor(connection: Connection, announced: boolean) {
    this.#connection = connection;
    const { options } = connection;
    if (announced) {
      options.clock.after(
        paramsWithinMs,
        () => !this.#caller && connection.open && connection.slot.end(closeCodes.abuse, "no connection parameters"),
      );
    } else {
      this.#authenticate(connection.token);
    }
  }

  get open(): boolean {
    return this.#connection.open;
  }

  onClose(key: string, callback: () => void): void {
    this.#onClose ??= new Map();
    this.#onClose.set(key, callback);
  }

  resume(): void {
    for (const feed of this.#feeds.values()) feed?.resume();
  }

  receive(data: Buffer, isBinary: boolean): void {
    const text = isBinary ? "" : data.toString("utf8");
    if (text === "PING") return this.#connection.write(TrpcSocket.pong);
    if (text === "PONG") return;
    let message: unknown;
    try {
      message = JSON.parse(text);
    } catch {
      return this.#sendError(null, new AppError("BAD_REQUEST", "The frame is not valid JSON."));
    }
    if (!this.#caller) return this.#readParams(message);
    // Over-long batches are the adapter's to refuse, every call of them. Of the others each call goes alone: one that
    // makes no sense is refused without its neighbours.
    if (Array.isArray(message) && message.length > maxBatchSize) this.#handOver(message);
    else for (const item of Array.isArray(message) ? message : [message]) this.#dispatch(item);
  }

  #dispatch(item: unknown): void {
    if (!this.#take(item)) this.#handOver(item);
  }

  #readParams(message: unknown): void {
    if (!isObject(message) || message["method"] !== "connectionParams") {
      this.#refuse(new AppError("BAD_REQUEST", "Send the connection parameters first, as announced."));
      return;
    }
    const { data } = message;
    const auth = isObject(data) ? data["auth"] : undefined;
    const { token } = this.#connection;
    if (auth !== undefined && auth !== null && typeof auth !== "string")
      this.#refuse(new AppError("BAD_REQUEST", "The connection parameter auth must be a token."));
    else if (token !== undefined && auth && auth !== token)
      this.#refuse(new AppError("BAD_REQUEST", "The connection parameter auth and the request's token differ."));
    else this.#authenticate(auth || token);
  }

  #authenticate(token: string | undefined): void {
    const { options, slot } = this.#connection;
    const identify = async () => {
      const caller = token === undefined ? null : await options.services.tokens.verify(token);
      slot.identify(caller);
      return caller;
    };
    this.#caller = identify();
    this.#caller.catch((error: unknown) => this.#refuse(error));
  }

  /** A call's own: one kept for each socket would cost more than it saves. */
  async #createContext(): Promise<Context> {
    const { options, origin, requestId } = this.#connection;
    return createContext(options.services, { caller: (await this.#caller) ?? null, origin, requestId, socket: this });
  }

  /** Tells why, and closes: this socket will never be anybody's. Where the fault is ours, its client may come back. */
  #refuse(error: unknown): void {
    this.#sendError(null, error);
    const { tokenInvalid, abuse, goingAway } = closeCodes;
    const { code } = describeError(error);
    this.#connection.slot.end(code === "UNAUTHORIZED" ? tokenInvalid : code === "BAD_REQUEST" ? abuse : goingAway, "connection refused");
  }

  /** Takes frames that are not for the adapter: those of `events` subscriptions, and those over a limit. */
  #take(message: unknown): boolean {
    if (!isObject(message) || !isRpcId(message["id"])) return false;
    const { id, method, params } = message as unknown as RpcMessage & { id: RpcId };
    if (typeof id === "string" && id.length > maxIdLength) {
      this.#sendError(null, new AppError("BAD_REQUEST", `An id has at most ${maxIdLength} characters.`));
      return true;
    }
    if (method === "subscription.stop") {
      if (!this.#feeds.has(id)) return false;
      this.#stop(id);
      return true;
    }
    const path = isObject(params) ? params["path"] : undefined;
    // Refused by the adapter, under no id: nothing would be left to settle.
    if (!isObject(params) || typeof path !== "string" || ![undefined, "2.0"].includes(message["jsonrpc"] as string | undefined))
      return false;
    if (method !== "subscription" && method !== "query" && method !== "mutation") return false;
    if (this.#feeds.has(id) || this.#calls.has(id)) {
      this.#sendError(id, new AppError("BAD_REQUEST", "This id is in use already."), path);
      return true;
    }
    if (method === "subscription") {
      if (this.#feeds.size + this.#count("subscription") >= this.#connection.options.limits.subscriptionsPerSocket) {
        this.#sendError(id, new AppError("TOO_MANY_REQUESTS", "Too many subscriptions on this socket.", { retryAfterSeconds: 1 }), path);
        return true;
      }
      if (path === "events") {
        this.#follow(id, params).catch((error: unknown) => this.#connection.options.onError(error, this.#connection.requestId));
        return true;
      }
      this.#calls.set(id, "subscription");
      return false;
    }
    if (!this.#mayCall()) {
      this.#waiting.push(message);
      this.#connection.pause();
      return true;
    }
    this.#calls.set(id, "call");
    return false;
  }

  /** The procedure checks input and rights; the feed writes the rest. */
  async #follow(id: RpcId, params: Record<string, unknown>): Promise<void> {
    const { input, lastEventId } = params;
    const { options } = this.#connection;
    this.#feeds.set(id, undefined);
    let follow: Follow<unknown>;
    try {
      const rawInput = lastEventId === undefined ? input : { ...(isObject(input) ? input : {}), lastEventId };
      follow = (await callProcedure("events", await this.#createContext(), async () => rawInput)) as Follow<unknown>;
    } catch (error) {
      if (this.#feeds.delete(id)) this.#sendError(id, error, "events");
      return;
    }
    if (!this.#feeds.has(id)) return;
    const connection = this.#connection;
    this.#send({ id, result: { type: "started" } });
    const { channels, cursor } = follow;
    const opening = options.feeds.open({ wire: trpcWire(id), sink: connection, channels, announce: true }, cursor);
    // Where the log cannot be read the client is sent away: it comes back with its cursor, where after an error it would not.
    const feed = await opening.catch((error: unknown) => {
      connection.slot.end(closeCodes.goingAway, "no events to follow");
      throw error;
    });
    if (this.#feeds.has(id) && connection.open) this.#feeds.set(id, feed);
    else feed.close();
  }

  #stop(id: RpcId): void {
    this.#feeds.get(id)?.close();
    this.#feeds.delete(id);
    this.#send({ id, result: { type: "stopped" } });
  }

  #handOver(message: unknown): void {
    this.#adapter ??= this.#openAdapter();
    this.#decoded = message;
    this.#adapter.emit("message", Buffer.from("{}"), false);
  }

  #openAdapter(): AdapterSocket {
    const connection = this.#connection;
    const adapter = new AdapterSocket(
      (text) => connection.write(textFrame(text)),
      () => connection.end(closeCodes.goingAway, "closed"),
    );
    const handle = getWSConnectionHandler({
      router: appRouter,
      createContext: () => this.#createContext(),
      maxBatchSize,
      wss: undefined as unknown as WebSocketServer,
      experimental_encoder: {
        encode: (message: unknown) => {
          this.#settle(message);
          return JSON.stringify(message);
        },
        decode: () => this.#decoded,
      },
    });
    handle(adapter as unknown as WebSocket, bareRequest);
    return adapter;
  }

  /** A call is over with its answer, a subscription with its error or its end. */
  #settle(message: unknown): void {
    if (!isObject(message) || !isRpcId(message["id"])) return;
    const { id, result } = message as { id: RpcId; result?: { type?: string } };
    const kind = this.#calls.get(id);
    if (kind === "call" || (kind === "subscription" && (result === undefined || result.type === "stopped"))) this.#calls.delete(id);
    if (kind === "call") this.#callNext();
  }

  #count(kind: "call" | "subscription"): number {
    let count = 0;
    for (const each of this.#calls.values()) if (each === kind) count += 1;
    return count;
  }

  #mayCall(): boolean {
    return this.#count("call") < this.#connection.options.limits.callsPerSocket;
  }

  #callNext(): void {
    while (this.open && this.#waiting.length > 0 && this.#mayCall()) {
      this.#dispatch(this.#waiting.shift());
      if (this.#waiting.length === 0) this.#connection.resume();
    }
  }

  #send(message: unknown): void {
    this.#connection.write(textFrame(JSON.stringify(message)));
  }

  #sendError(id: RpcId | null, error: unknown, path?: string): void {
    const shape = getErrorShape({
      config: appRouter._def._config,
      error: getTRPCErrorFromUnknown(error),
      type: "unknown",
      path,
      input: undefined,
      ctx: undefined,
    });
    this.#send({ id, error: shape });
  }

  closed(): void {
    for (const feed of this.#feeds.values()) feed?.close();
    this.#feeds.clear();
    this.#waiting.length = 0;
    this.#adapter?.emit("close");
    for (const callback of this.#onClose?.values() ?? []) callback();
    this.#onClose = undefined;
  }
}
