/** Owns tRPC over WebSocket: the identity of a socket, its frames, and its calls, a few at a time. */
import type { Caller } from "../../core/caller.ts";
import type { Context } from "../../core/context.ts";
import { AppError, describeError } from "../../core/errors.ts";
import { textFrame } from "../../core/events/wires.ts";
import { identifyWithinMs, maxBatchCalls, maxQueriesAtOnce, maxUnreadBytes } from "../../core/limits.ts";
import type { Socket } from "../../core/presence.ts";
import { createContext } from "../../core/services.ts";
import { CallWindow } from "../calls/call-window.ts";
import { definitions, noSuchProcedure } from "../calls/procedures.ts";
import { closeCodes } from "../socket/connections.ts";
import type { Protocol, WebSocketConnection } from "../socket/websocket-connection.ts";
import { type Answer, answerCall, errorShape } from "./trpc-answer.ts";
import { authParameterDiffers, authParameterNoToken, batchTooLong } from "./trpc-errors.ts";
import { type CallFrame, idOf, isObject, type RpcId, readFrame } from "./trpc-frames.ts";
import { Subscriptions } from "./trpc-subscriptions.ts";

export class TrpcSocket implements Protocol, Socket {
  static readonly pong = textFrame("PONG");

  readonly #connection: WebSocketConnection;
  readonly #subscriptions: Subscriptions;
  /** Ids of calls that have no answer yet, those that wait for their turn among them. */
  readonly #calls = new Map<RpcId, CallFrame>();
  /** Calls that wait for others; until they are through nothing more is read. */
  readonly #waiting: CallFrame[] = [];
  readonly #window = new CallWindow();
  #queriesUnderWay = 0;
  #gone: AbortController | undefined;
  #onClose: Map<string, () => void> | undefined;
  #caller: Promise<Caller | null> | undefined;
  #cancelWait = () => {};

  /** `announced`: the client has said that its connection parameters come first. */
  constructor(connection: WebSocketConnection, announced: boolean) {
    this.#connection = connection;
    this.#subscriptions = new Subscriptions({
      connection,
      createContext: () => this.#createContext(),
      send: (message) => this.#send(message),
      sendError: (id, error, path) => this.#sendError(id, error, path),
    });
    const { options } = connection;
    if (announced) {
      this.#cancelWait = options.clock.after(
        identifyWithinMs,
        () => !this.#caller && connection.open && connection.end(closeCodes.abuse, "no connection parameters"),
      );
    } else {
      this.#authenticate(async () => connection.token);
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
    this.#subscriptions.resume();
    this.#callNext();
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
    if (Array.isArray(message)) this.#receiveBatch(message);
    else this.#take(message);
  }

  closed(): void {
    this.#cancelWait();
    this.#subscriptions.close();
    this.#waiting.length = 0;
    this.#gone?.abort();
    for (const callback of this.#onClose?.values() ?? []) callback();
    this.#onClose = undefined;
  }

  #readParams(message: unknown): void {
    if (!isObject(message) || message["method"] !== "connectionParams") {
      this.#sendError(null, new AppError("BAD_REQUEST", "Send the connection parameters first, as announced."));
      this.#connection.end(closeCodes.abuse, "no connection parameters");
      return;
    }
    const { data } = message;
    const auth = isObject(data) ? data["auth"] : undefined;
    const { token } = this.#connection;
    this.#authenticate(async () => {
      if (auth !== undefined && auth !== null && typeof auth !== "string") throw authParameterNoToken();
      if (token !== undefined && auth && auth !== token) throw authParameterDiffers();
      return auth || token;
    });
  }

  /**
   * Where the token is not good, every call and subscription is answered so: a client that was only closed would come back with the same
   * token, for ever and without a reason. Where the fault is ours, it may come back.
   */
  #authenticate(read: () => Promise<string | undefined>): void {
    const connection = this.#connection;
    const { options } = connection;
    const identify = async () => {
      const token = await read();
      const caller = token === undefined ? null : await options.services.tokens.verify(token);
      connection.identify(caller);
      return caller;
    };
    this.#caller = identify();
    this.#caller.catch((error: unknown) => {
      const { code } = describeError(error);
      if (code !== "UNAUTHORIZED" && code !== "BAD_REQUEST") connection.end(closeCodes.goingAway, "no token can be looked at");
    });
  }

  /** A call's own: one kept for each socket would cost more than it saves. */
  async #createContext(): Promise<Context> {
    return this.#contextOf((await this.#caller) ?? null);
  }

  #contextOf(caller: Caller | null): Context {
    const { options, origin, requestId } = this.#connection;
    return createContext(options.services, { caller, origin, requestId, socket: this });
  }

  /** Each frame for itself: one that makes no sense is refused without its neighbours, and a batch that is too long with all of them. */
  #receiveBatch(frames: readonly unknown[]): void {
    if (frames.length <= maxBatchCalls) {
      for (const frame of frames) this.#take(frame);
      return;
    }
    const error = batchTooLong();
    const ids = new Set(frames.map(idOf).filter((id) => id !== null));
    if (ids.size === 0) this.#sendError(null, error);
    for (const id of ids) if (!this.#isInUse(id)) this.#sendError(id, error);
  }

  #take(item: unknown): void {
    try {
      const frame = readFrame(item);
      if (frame.method === "subscription.stop") this.#subscriptions.stop(frame.id);
      else if (this.#isInUse(frame.id)) this.#sendError(frame.id, new AppError("BAD_REQUEST", "This id is in use already."), frame.path);
      else if (frame.method === "subscription") this.#subscriptions.start(frame);
      else this.#enqueue(frame);
    } catch (error) {
      this.#sendError(idOf(item), error);
    }
  }

  #isInUse(id: RpcId): boolean {
    return this.#subscriptions.has(id) || this.#calls.has(id);
  }

  #enqueue(frame: CallFrame): void {
    this.#calls.set(frame.id, frame);
    this.#waiting.push(frame);
    this.#callNext();
    if (this.#waiting.length > 0) this.#connection.pause();
  }

  /** A call begins while the client takes its answers, in the order they were asked for. */
  #mayCall({ method }: CallFrame): boolean {
    const { backlog, options } = this.#connection;
    if (backlog > maxUnreadBytes || this.#calls.size - this.#waiting.length >= options.limits.callsPerSocket) return false;
    return method === "mutation" || this.#queriesUnderWay < this.#window.size(maxQueriesAtOnce);
  }

  #callNext(): void {
    for (let frame = this.#waiting[0]; frame && this.open && this.#mayCall(frame); frame = this.#waiting[0]) {
      this.#waiting.shift();
      if (this.#waiting.length === 0) this.#connection.resume();
      void this.#call(frame);
    }
  }

  async #call({ id, jsonrpc, method, path, input }: CallFrame): Promise<void> {
    if (method === "query") this.#queriesUnderWay += 1;
    this.#gone ??= new AbortController();
    const answer = await this.#answer({ method, path, input }, this.#gone.signal);
    this.#calls.delete(id);
    const head = `{"id":${JSON.stringify(id)}${jsonrpc === undefined ? "" : `,"jsonrpc":"${jsonrpc}"`}`;
    const result = answer.error === undefined && `"result":{"type":"data"${answer.data === undefined ? "" : `,"data":${answer.data}`}}`;
    const frame = textFrame(`${head},${result || `"error":${answer.error}`}}`);
    this.#connection.write(frame);
    if (method === "query") {
      this.#queriesUnderWay -= 1;
      this.#window.note(frame.length);
    }
    // A page is work enough for one turn.
    if (this.#waiting.length > 0) setImmediate(() => this.#callNext());
  }

  async #answer({ method, path, input }: Pick<CallFrame, "method" | "path" | "input">, signal: AbortSignal): Promise<Answer> {
    try {
      this.#connection.options.admit(this.#connection.origin.address);
      if (definitions.get(path)?.type !== method) throw noSuchProcedure(path, method);
      return await answerCall({ path, type: method, context: await this.#createContext(), getRawInput: async () => input, signal });
    } catch (error) {
      const { status, retryAfterSeconds } = describeError(error);
      return {
        status,
        error: JSON.stringify(errorShape(error, { path, type: method, context: this.#contextOf(null) })),
        retryAfterSeconds,
      };
    }
  }

  #send(message: unknown): void {
    this.#connection.write(textFrame(JSON.stringify(message)));
  }

  #sendError(id: RpcId | null, error: unknown, path?: string): void {
    this.#send({ id, error: errorShape(error, { context: this.#contextOf(null), ...(path !== undefined && { path }) }) });
  }
}
