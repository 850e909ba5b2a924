/** Owns the compatibility shim: what a plain WebSocket and a Socket.IO client have in common. An identity, a channel, a feed, and the commands of the contract. */

import type { Caller } from "../../core/caller.ts";
import type { Clock } from "../../core/clock.ts";
import { AppError, describeError } from "../../core/errors.ts";
import type { Feed, Sink, Wire } from "../../core/events/feed.ts";
import type { Feeds, Here } from "../../core/events/feeds.ts";
import type { Follow } from "../../core/events/follow.ts";
import { errorWindowMs, identifyWithinMs, maxErrors } from "../../core/limits.ts";
import { createContext, type Services } from "../../core/services.ts";
import { callProcedure } from "../calls/procedures.ts";
import { type Connection, closeCodes } from "../socket/connections.ts";
import { Attendance } from "./attendance.ts";
import { CommandQueue, type Flow } from "./command-queue.ts";
import { isCommand } from "./commands.ts";
import type { FeedRequest } from "./feed-request.ts";

export interface ShimOptions<Frame> {
  readonly options: {
    readonly services: Services;
    readonly feeds: Feeds;
    readonly clock: Clock;
    readonly onError: (error: unknown, requestId: string) => void;
  };
  readonly connection: Connection & Sink<Frame>;
  readonly wire: Wire<Frame>;
  readonly feedRequest: FeedRequest;
  /** The token of the opening, whatever the client gave for one; undefined: none. */
  readonly token: unknown;
  /** Where the client's side can be made to wait. */
  readonly flow?: Flow;
}

export interface Refusal {
  readonly error: string;
  readonly code: string;
}

/** Answers the client that asked for it, once its command was carried out or refused. */
export type Acknowledge = (outcome: { readonly ok: true } | Refusal) => void;

/** Longer than any text that a command makes sense with. */
const maxTextLength = 2_048;
const nothing = "null";
const nothingToCancel = () => {};

/** The id in `{ id }` or `{ channel_id }`, as the client sent it; the procedure's schema judges it. */
function field(data: unknown, name: string): unknown {
  return typeof data === "object" && data !== null && Object.hasOwn(data, name) ? (data as Record<string, unknown>)[name] : undefined;
}

/** As much of what a client sent as a command may need: nothing else waits with it. */
function compact(data: unknown): unknown {
  if (typeof data === "string") return data.length > maxTextLength ? "" : data;
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
  /** Where the caller is seen. */
  #attendance: Attendance | undefined;
  #errors: number[] = [];
  /** What a client sends first happens first. */
  readonly #commands: CommandQueue;
  #closed = false;
  #cancelWait = nothingToCancel;

  constructor(given: ShimOptions<Frame>) {
    this.#given = given;
    this.#cursor = given.feedRequest.cursor;
    this.#commands = new CommandQueue(given.flow);
    const { token, options } = given;
    if (token === undefined) this.#beNobody();
    else {
      const here = options.feeds.here();
      this.#commands.add("", () => this.#arrive(token, here));
    }
  }

  /** The socket has room again. */
  resume(): void {
    this.#feed?.resume();
  }

  receive(event: string, data: unknown, acknowledge?: Acknowledge): void {
    const needed = compact(data);
    const run = async () => {
      if (this.#closed) return;
      try {
        const refusal = await this.#carryOut(event, needed);
        acknowledge?.(refusal ?? { ok: true });
      } catch (error) {
        this.#fail(error, acknowledge);
      }
    };
    if (!this.#commands.add(typeof needed === "string" ? needed : "", run))
      this.#fail(new AppError("TOO_MANY_REQUESTS", "Too many commands wait."), acknowledge);
  }

  refuseFrame(acknowledge?: Acknowledge): void {
    this.#fail(new AppError("BAD_REQUEST", 'Send frames like {"event":"identify","data":"TOKEN"}.'), acknowledge);
  }

  close(options: { lingering: boolean }): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#cancelWait();
    this.#feed?.close();
    this.#attendance?.withdraw(options);
  }

  /** Sends to this client alone; `payload` is JSON. */
  #emit(event: string, payload: string): void {
    const { connection, wire } = this.#given;
    connection.write(wire.encode(event, payload));
  }

  #fail(error: unknown, acknowledge?: Acknowledge): void {
    const { message, code } = describeError(error);
    const { connection, options } = this.#given;
    if (code === "INTERNAL_SERVER_ERROR") options.onError(error, connection.requestId);
    if (this.#closed) return;
    const refusal: Refusal = { error: message, code };
    this.#emit("error", JSON.stringify(refusal));
    acknowledge?.(refusal);
    const now = options.clock.monotonic();
    this.#errors = [...this.#errors.filter((at) => now - at < errorWindowMs), now];
    if (this.#errors.length > maxErrors) connection.end(closeCodes.abuse, "too many errors");
  }

  /** A client that brings a token reads nothing before it is known for whom, and misses nothing that comes meanwhile. */
  async #arrive(token: unknown, here: Here): Promise<void> {
    try {
      await this.#identify(token, here);
      if (!this.#caller && !this.#closed) this.#beNobody(here);
    } catch (error) {
      this.#fail(error);
      // It comes back with the same token: a feed opened for nobody would use up its cursor.
      this.#given.connection.end(closeCodes.goingAway, "the token could not be verified");
    }
  }

  /** Without an identity: reads what anybody may, or has a while to identify. */
  #beNobody(here?: Here): void {
    const { options, connection } = this.#given;
    if (options.services.rules.anonymousRead) this.#follow(here);
    else this.#cancelWait = options.clock.after(identifyWithinMs, () => connection.end(closeCodes.abuse, "not identified"));
  }

  /** Without a cursor the feed begins at `here`, or now. */
  #follow(here?: Here): void {
    this.#opening ??= this.#open(here).catch((error: unknown) => {
      this.#fail(error);
      const refused = describeError(error).code === "BAD_REQUEST";
      this.#given.connection.end(refused ? closeCodes.abuse : closeCodes.goingAway, "no events to follow");
    });
  }

  /** The procedure checks the filter and the right to read; the feed does the rest. */
  async #open(here?: Here): Promise<void> {
    const { options, wire, connection, feedRequest } = this.#given;
    const input = { channel_id: feedRequest.channelIds, lastEventId: this.#cursor };
    this.#cursor = undefined;
    const { channels, cursor } = (await this.#call("events", input)) as Follow<unknown>;
    const { address } = connection.origin;
    const feed = { wire, sink: connection, channels, announce: cursor !== undefined, address };
    this.#feed = await options.feeds.open(feed, { cursor, here });
    if (this.#closed) this.#feed.close();
  }

  /** Resolves to the refusal that the client has been told in its own event, if there was one. */
  async #carryOut(event: string, data: unknown): Promise<Refusal | undefined> {
    if (!isCommand(event)) throw new AppError("BAD_REQUEST", "There is no such event to send.");
    switch (event) {
      case "connection":
        await this.#ready();
        return;
      case "identify":
        return this.#identify(data);
      case "unidentify":
        await this.#unidentify();
        return;
      case "change channel":
        await this.#changeChannel(data === null ? null : field(data, "id"));
        return;
      case "start typing":
      case "stop typing":
        await this.#type(event, field(data, "channel_id"));
        return;
    }
  }

  async #ready(): Promise<void> {
    if (!this.#opening) throw new AppError("UNAUTHORIZED");
    await this.#opening;
    this.#feed?.requestReady();
  }

  async #identify(token: unknown, here?: Here): Promise<Refusal | undefined> {
    const { options, connection } = this.#given;
    let caller: Caller;
    try {
      if (typeof token !== "string") throw new AppError("UNAUTHORIZED", "The token is no text.");
      caller = await options.services.tokens.verify(token);
    } catch (error) {
      const { message, code } = describeError(error);
      if (code !== "UNAUTHORIZED") throw error;
      if (this.#closed) return;
      this.#emit("identity failure", nothing);
      return { error: message, code };
    }
    if (this.#closed) return;
    if (this.#caller?.user_id !== caller.user_id) {
      this.#attendance?.withdraw();
      this.#attendance = new Attendance(options.services.presence, caller.user_id);
    }
    this.#caller = caller;
    connection.identify(caller);
    this.#cancelWait();
    this.#emit("identified", nothing);
    this.#follow(here);
    await this.#opening;
  }

  async #unidentify(): Promise<void> {
    const { connection, options } = this.#given;
    this.#attendance?.withdraw();
    this.#attendance = undefined;
    this.#caller = null;
    connection.identify(null);
    if (options.services.rules.anonymousRead) return;
    this.#feed?.close();
    this.#feed = undefined;
    this.#opening = undefined;
    this.#cancelWait();
    this.#beNobody();
  }

  #identified(): Attendance {
    if (!this.#attendance) throw new AppError("UNAUTHORIZED", "Please identify first.");
    return this.#attendance;
  }

  #call(path: string, input: unknown): Promise<unknown> {
    const { options, connection } = this.#given;
    const { origin, requestId } = connection;
    return callProcedure(path, createContext(options.services, { caller: this.#caller, origin, requestId }), async () => input);
  }

  async #changeChannel(id: unknown): Promise<void> {
    const attendance = this.#identified();
    if (id === null) {
      attendance.leave();
      return;
    }
    const now = (await this.#call("channel.users", { id })) as { channel_id: number; users: number[] };
    if (!this.#closed && !attendance.isIn(id)) {
      attendance.enter(now.channel_id);
      // Readers are told of the user's coming, and this client with them, unless another socket has brought the user in already.
      if (!this.#caller || !now.users.includes(this.#caller.user_id)) return;
    }
    this.#emit("channel movement", JSON.stringify(now));
  }

  async #type(event: "start typing" | "stop typing", channelId: unknown): Promise<void> {
    const attendance = this.#identified();
    const typing = event === "start typing";
    await this.#call(typing ? "channel.startTyping" : "channel.stopTyping", { id: channelId });
    attendance.type(channelId as number, typing);
  }
}
