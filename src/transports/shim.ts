/** Owns the compatibility shim: what a plain WebSocket and a Socket.IO client have in common. An identity, a channel, a feed, and the commands of the contract. */

import type { Clock } from "../core/clock.ts";
import type { Caller, Follow, Origin } from "../core/context.ts";
import { AppError, describeError } from "../core/errors.ts";
import type { Feed, Sink, Wire } from "../core/events/feed.ts";
import type { Feeds } from "../core/events/feeds.ts";
import { createContext, type Services } from "../core/services.ts";
import { isCommand } from "./commands.ts";
import { closeCodes, type Slot } from "./connections.ts";
import { single, type Target } from "./gate.ts";
import { callProcedure } from "./procedures.ts";
import { fromUrl } from "./routes.ts";

/** What a socket's URL says of its reading; the procedure's schema judges it. */
export interface Reading {
  readonly cursor: string | undefined;
  readonly channelIds: unknown;
}

/** @throws AppError BAD_REQUEST where a parameter is repeated. */
export function readReading(query: Target["query"]): Reading {
  const channelIds = single(query, "channel_id");
  return { cursor: single(query, "cursor"), channelIds: channelIds === undefined ? undefined : fromUrl(channelIds, "numbers") };
}

export interface ShimOptions<Frame> {
  readonly options: {
    readonly services: Services;
    readonly feeds: Feeds;
    readonly clock: Clock;
    readonly onError: (error: unknown, requestId: string) => void;
  };
  readonly slot: Slot;
  readonly origin: Origin;
  readonly requestId: string;
  readonly wire: Wire<Frame>;
  readonly sink: Sink<Frame>;
  readonly reading: Reading;
  readonly token: string | undefined;
  /** Where the client's side can be made to wait. */
  readonly flow?: { pause(): void; resume(): void };
}

const identifyWithinMs = 10_000;
const errorWindowMs = 10_000;
const maxErrors = 20;
/** Commands that may wait for those before them, until the client has to; where it cannot be made to, the rest are refused. */
const maxWaiting = 64;
const maxWaitingAnyway = 10_000;
/** Longer than any text that a command makes sense with. */
const maxTextLength = 2_048;
const nothing = "null";
/** What a socket begins with; one for all of them, as most stay that way. */
const done = Promise.resolve();
const nothingToCancel = () => {};

/** The id in `{ id }` or `{ channel_id }`, as the client sent it; the procedure's schema judges it. */
function field(data: unknown, name: string): unknown {
  return typeof data === "object" && data !== null && Object.hasOwn(data, name) ? (data as Record<string, unknown>)[name] : undefined;
}

/** As much of what a client sent as a command may need: nothing else waits with it. */
function compact(data: unknown): unknown {
  if (typeof data === "string" && data.length > maxTextLength) return "";
  if (typeof data !== "object" || data === null) return data;
  const short = (value: unknown) => (typeof value === "number" || value === null ? value : undefined);
  return { id: short(field(data, "id")), channel_id: short(field(data, "channel_id")) };
}

export class Shim<Frame> {
  readonly #given: ShimOptions<Frame>;
  /** Where the feed begins; a cursor given at the opening is honoured once. */
  #cursor: string | undefined;
  #feed: Feed<Frame> | undefined;
  #opening: Promise<void> | undefined;
  #caller: Caller | null = null;
  #channelId: number | null = null;
  #leave: ((options?: { lingering?: boolean }) => void) | undefined;
  #typing: Set<number> | undefined;
  #errors: number[] = [];
  /** Commands are carried out one after the other: what a client sends first happens first. */
  #queue = done;
  #waiting = 0;
  #closed = false;
  #cancelWait = nothingToCancel;

  constructor(given: ShimOptions<Frame>) {
    this.#given = given;
    this.#cursor = given.reading.cursor;
    this.#beNobody();
    const { token } = given;
    if (token !== undefined) this.#enqueue(() => this.#identify(token));
  }

  /** The socket has room again. */
  resume(): void {
    this.#feed?.resume();
  }

  receive(event: string, data: unknown): void {
    if (this.#waiting >= maxWaitingAnyway) return this.#fail(new AppError("TOO_MANY_REQUESTS", "Too many commands wait."));
    const needed = compact(data);
    this.#enqueue(() => this.#carryOut(event, needed));
  }

  refuseFrame(): void {
    this.#fail(new AppError("BAD_REQUEST", 'Send frames like {"event":"identify","data":"TOKEN"}.'));
  }

  close(options: { lingering: boolean }): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#cancelWait();
    this.#feed?.close();
    this.#withdraw(options);
  }

  #enqueue(command: () => Promise<void>): void {
    const { flow } = this.#given;
    this.#waiting += 1;
    if (this.#waiting === maxWaiting) flow?.pause();
    this.#queue = this.#queue.then(async () => {
      try {
        if (!this.#closed) await command();
      } catch (error) {
        this.#fail(error);
      }
      this.#waiting -= 1;
      if (this.#waiting === maxWaiting - 1) flow?.resume();
    });
  }

  /** Sends to this client alone; `payload` is JSON. */
  #emit(event: string, payload: string): void {
    const { sink, wire } = this.#given;
    sink.write(wire.encode(event, payload));
  }

  #fail(error: unknown): void {
    const { message, code } = describeError(error);
    const { slot, options, requestId } = this.#given;
    if (code === "INTERNAL_SERVER_ERROR") options.onError(error, requestId);
    if (this.#closed) return;
    this.#emit("error", JSON.stringify({ error: message, code }));
    const now = options.clock.monotonic();
    this.#errors = [...this.#errors.filter((at) => now - at < errorWindowMs), now];
    if (this.#errors.length > maxErrors) slot.end(closeCodes.abuse, "too many errors");
  }

  /** Without an identity: reads what anybody may, or has a while to identify. */
  #beNobody(): void {
    const { options, slot } = this.#given;
    if (options.services.rules.anonymousRead) this.#follow();
    else this.#cancelWait = options.clock.after(identifyWithinMs, () => slot.end(closeCodes.abuse, "not identified"));
  }

  #follow(): void {
    this.#opening ??= this.#open().catch((error: unknown) => {
      this.#fail(error);
      const refused = describeError(error).code === "BAD_REQUEST";
      this.#given.slot.end(refused ? closeCodes.abuse : closeCodes.goingAway, "no events to follow");
    });
  }

  /** The procedure checks the filter and the right to read; the feed does the rest. */
  async #open(): Promise<void> {
    const { options, wire, sink, reading } = this.#given;
    const input = { channel_id: reading.channelIds, lastEventId: this.#cursor };
    this.#cursor = undefined;
    const { channels, cursor } = (await this.#call("events", input)) as Follow<unknown>;
    this.#feed = await options.feeds.open({ wire, sink, channels, announce: cursor !== undefined }, cursor);
    if (this.#closed) this.#feed.close();
  }

  async #carryOut(event: string, data: unknown): Promise<void> {
    if (!isCommand(event)) throw new AppError("BAD_REQUEST", "There is no such event to send.");
    switch (event) {
      case "connection":
        return this.#ready();
      case "identify":
        return this.#identify(data);
      case "unidentify":
        return this.#unidentify();
      case "change channel":
        return this.#changeChannel(data === null ? null : field(data, "id"));
      case "start typing":
      case "stop typing":
        return this.#type(event, field(data, "channel_id"));
    }
  }

  async #ready(): Promise<void> {
    if (!this.#opening) throw new AppError("UNAUTHORIZED");
    await this.#opening;
    this.#feed?.requestReady();
  }

  async #identify(token: unknown): Promise<void> {
    const { options, slot } = this.#given;
    let caller: Caller;
    try {
      if (typeof token !== "string") throw new AppError("UNAUTHORIZED");
      caller = await options.services.tokens.verify(token);
    } catch (error) {
      if (describeError(error).code !== "UNAUTHORIZED") throw error;
      this.#emit("identity failure", nothing);
      return;
    }
    if (this.#closed) return;
    if (this.#caller && this.#caller.userId !== caller.userId) this.#withdraw();
    this.#caller = caller;
    slot.identify(caller);
    this.#cancelWait();
    this.#emit("identified", nothing);
    this.#follow();
    await this.#opening;
  }

  async #unidentify(): Promise<void> {
    const { slot, options } = this.#given;
    this.#withdraw();
    this.#caller = null;
    slot.identify(null);
    if (options.services.rules.anonymousRead) return;
    this.#feed?.close();
    this.#feed = undefined;
    this.#opening = undefined;
    this.#cancelWait();
    this.#beNobody();
  }

  #identified(): Caller {
    if (!this.#caller) throw new AppError("UNAUTHORIZED", "Please identify first.");
    return this.#caller;
  }

  #call(path: string, input: unknown): Promise<unknown> {
    const { options, origin, requestId } = this.#given;
    return callProcedure(path, createContext(options.services, { caller: this.#caller, origin, requestId }), async () => input);
  }

  async #changeChannel(id: unknown): Promise<void> {
    const { userId } = this.#identified();
    const { presence } = this.#given.options.services;
    if (id === null) {
      this.#leaveChannel();
      return;
    }
    const now = (await this.#call("channel.users", { id })) as { channel_id: number; users: number[] };
    if (this.#closed || id === this.#channelId) {
      this.#emit("channel movement", JSON.stringify(now));
      return;
    }
    this.#leaveChannel();
    this.#channelId = now.channel_id;
    this.#leave = presence.enter(now.channel_id, userId);
    // Where another socket of this user is in there already nothing changes, and nobody would be told.
    if (now.users.includes(userId)) this.#emit("channel movement", JSON.stringify(now));
  }

  #leaveChannel(options?: { lingering: boolean }): void {
    if (this.#channelId !== null) this.#stopTyping(this.#channelId);
    this.#leave?.(options);
    this.#leave = undefined;
    this.#channelId = null;
  }

  /** Takes the identity back from everything it was seen in. */
  #withdraw(options?: { lingering: boolean }): void {
    for (const channelId of this.#typing ?? []) this.#stopTyping(channelId);
    this.#leaveChannel(options);
  }

  #stopTyping(channelId: number): void {
    if (this.#typing?.delete(channelId) && this.#caller) this.#given.options.services.presence.stopTyping(channelId, this.#caller.userId);
  }

  async #type(event: "start typing" | "stop typing", channelId: unknown): Promise<void> {
    this.#identified();
    await this.#call(event === "start typing" ? "channel.startTyping" : "channel.stopTyping", { id: channelId });
    if (event === "stop typing") this.#typing?.delete(channelId as number);
    else {
      this.#typing ??= new Set();
      this.#typing.add(channelId as number);
    }
  }
}
