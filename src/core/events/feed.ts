/** Owns the feed: one reader's position in the log. Replay and live are the same walk; a slow reader costs one number. */
import type { Clock } from "../clock.ts";
import type { EventLog, LogEvent, Position, ResyncReason } from "./log.ts";

/** How one wire puts an event. `Frame` is bytes where the wire is a socket. */
export interface Wire<Frame> {
  /** `payload` is JSON; an event of the moment has no `id`. */
  encode(name: string, payload: string, id?: string): Frame;
  join(frames: readonly Frame[]): Frame;
  /** Whether many readers share this wire, so that keeping its frames pays. */
  readonly shared: boolean;
}

/** The reader's end. */
export interface Sink<Frame> {
  /** Bytes that wait in this process because the reader has not taken them. */
  readonly backlog: number;
  write(frame: Frame): void;
  /** The reader has taken nothing for too long. */
  tooSlow(): void;
}

export interface FeedOptions<Frame> {
  readonly wire: Wire<Frame>;
  readonly sink: Sink<Frame>;
  /** Only events about these channels, and those about none. Undefined: all. */
  readonly channels?: ReadonlySet<number> | undefined;
  /** Whether `ready` is sent unasked. */
  readonly announce: boolean;
}

/** An event outside the log, of which only the latest state counts. */
export interface Ephemeral {
  readonly name: string;
  readonly payload: string;
  readonly channelId: number | null;
}

interface EphemeralState extends Ephemeral {
  readonly version: number;
  readonly at: number;
}

const highWaterBytes = 256 * 1024;
const chunkBytes = 64 * 1024;
const chunkEvents = 256;
const tooSlowMs = 60_000;
const positionMs = 60_000;
const ephemeralMs = 120_000;
const sweepMs = 1_000;

/** What a reader may see of a piece of the log, in one frame, and the id of the last of it. */
interface Visible<Frame> {
  readonly frame: Frame;
  readonly id: string;
}

/** Cuts events so that what is written at once stays small, however much was committed together. */
function pieces(events: readonly LogEvent[]): (readonly LogEvent[])[] {
  const cut: (readonly LogEvent[])[] = [];
  let from = 0;
  let bytes = 0;
  for (const [index, event] of events.entries()) {
    bytes += event.payload?.length ?? 0;
    if (bytes < chunkBytes) continue;
    cut.push(events.slice(from, index + 1));
    from = index + 1;
    bytes = 0;
  }
  if (from < events.length) cut.push(from === 0 ? events : events.slice(from));
  return cut;
}

/** A long walk through the log lets everybody else have their turn in between. */
export function yieldToOthers(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

export class Feed<Frame> {
  readonly #feeds: Feeds;
  readonly #wire: Wire<Frame>;
  readonly #sink: Sink<Frame>;
  readonly #channels: ReadonlySet<number> | undefined;
  #position: Position;
  /** Where the reader knows itself to be: the id of the last frame it got. */
  #known: string;
  #knownAt: number;
  /** Whether it has asked for positions: by a cursor, or by waiting for `ready`. */
  #told = false;
  #announce: boolean;
  #ephemeralVersion: number;
  #pumping = false;
  #blockedAt: number | undefined;
  #state: "catching up" | "live" | "closed" = "catching up";

  constructor(feeds: Feeds, options: FeedOptions<Frame>, position: Position) {
    this.#feeds = feeds;
    this.#wire = options.wire;
    this.#sink = options.sink;
    this.#channels = options.channels;
    this.#announce = options.announce;
    this.#position = position;
    this.#known = position.id;
    this.#knownAt = feeds.clock.monotonic();
    this.#ephemeralVersion = feeds.ephemeralVersion;
  }

  /** Sends `resync`: what follows is live from the feed's position. */
  resync(reason: ResyncReason): void {
    this.#send("resync", JSON.stringify({ reason, cursor: this.#position.id }), this.#position.id);
    this.#announce = false;
  }

  /** Sends `ready` once everything up to now has been sent. */
  requestReady(): void {
    if (this.#state === "live") this.#sendReady();
    else this.#announce = true;
  }

  /** The sink has room again, or there is something new. */
  resume(): void {
    if (this.#state === "catching up" && !this.#pumping) {
      this.#pumping = true;
      this.#pump().then(
        () => {
          this.#pumping = false;
        },
        (error: unknown) => {
          this.#pumping = false;
          this.#feeds.onError(error);
        },
      );
    }
  }

  close(): void {
    this.#state = "closed";
    this.#feeds.remove(this);
  }

  /** A piece of one commit, for a feed that was level with the log before it. `joined` holds what each wire made of all of it. */
  deliver(piece: readonly LogEvent[], joined: Map<object, unknown>): void {
    if (this.#state !== "live" || this.#standsBack()) return;
    this.#pass(piece, this.#channels ? this.#joinVisible(piece) : this.#joinAll(piece, joined));
    this.#standsBack();
  }

  deliverEphemeral(state: EphemeralState, encoded: Map<object, unknown>): void {
    if (this.#state !== "live" || !this.#mayPass(state.channelId) || this.#standsBack()) return;
    this.#ephemeralVersion = state.version;
    let frame = encoded.get(this.#wire) as Frame | undefined;
    if (frame === undefined) {
      frame = this.#wire.encode(state.name, state.payload);
      encoded.set(this.#wire, frame);
    }
    this.#sink.write(frame);
    this.#standsBack();
  }

  /** Once a second: ends readers that take nothing, and tells the others where they are when nothing they may see told them. */
  sweep(now: number): void {
    if (this.#blockedAt !== undefined && now - this.#blockedAt >= tooSlowMs) {
      this.close();
      this.#sink.tooSlow();
    } else if (this.#state === "live" && this.#told && this.#known !== this.#position.id && now - this.#knownAt >= positionMs) {
      this.#sendReady();
    } else if (this.#state === "catching up") {
      // A replay that failed on the database goes on where it was.
      this.resume();
    }
  }

  async #pump(): Promise<void> {
    while (this.#state === "catching up") {
      if (this.#sink.backlog > highWaterBytes) {
        this.#blockedAt ??= this.#feeds.clock.monotonic();
        return;
      }
      this.#blockedAt = undefined;
      if (this.#position.seq >= this.#feeds.log.head.seq) {
        this.#goLive();
        return;
      }
      const events = await this.#feeds.log.after(this.#position.seq, chunkEvents);
      if (this.#state !== "catching up") return;
      // Positions have no holes: one that is missing was pruned under the replay.
      if (events[0]?.seq === this.#position.seq + 1) this.#replay(events);
      else this.#startOver();
      await yieldToOthers();
    }
  }

  #startOver(): void {
    this.#position = this.#feeds.log.head;
    this.resync("expired");
  }

  /** Sends what the reader may see of `events`, up to where its socket is full; the rest is read again later. */
  #replay(events: readonly LogEvent[]): void {
    for (const piece of pieces(events)) {
      if (this.#sink.backlog > highWaterBytes) return;
      this.#pass(piece, this.#joinVisible(piece));
    }
  }

  /** Moves behind a piece of the log, and tells the reader what it may see of it. */
  #pass(piece: readonly LogEvent[], visible: Visible<Frame> | undefined): void {
    const last = piece.at(-1);
    if (last) this.#position = { seq: last.seq, id: last.id };
    if (!visible) return;
    this.#sink.write(visible.frame);
    this.#known = visible.id;
    this.#knownAt = this.#feeds.clock.monotonic();
  }

  #goLive(): void {
    this.#state = "live";
    if (this.#announce) this.#sendReady();
    for (const state of this.#feeds.ephemeralsSince(this.#ephemeralVersion)) {
      if (this.#mayPass(state.channelId)) this.#sink.write(this.#wire.encode(state.name, state.payload));
    }
    this.#ephemeralVersion = this.#feeds.ephemeralVersion;
  }

  #sendReady(): void {
    this.#announce = false;
    this.#send("ready", JSON.stringify({ cursor: this.#position.id }), this.#position.id);
  }

  #send(name: string, payload: string, id: string): void {
    this.#told = true;
    this.#known = id;
    this.#knownAt = this.#feeds.clock.monotonic();
    this.#sink.write(this.#wire.encode(name, payload, id));
  }

  /** Whether the socket is full; then the feed goes on from its position when there is room. */
  #standsBack(): boolean {
    if (this.#sink.backlog <= highWaterBytes) return false;
    if (this.#state === "live") {
      this.#state = "catching up";
      this.#blockedAt = this.#feeds.clock.monotonic();
    }
    return true;
  }

  #mayPass(channelId: number | null): boolean {
    return this.#channels === undefined || channelId === null || this.#channels.has(channelId);
  }

  #frameOf(event: LogEvent, payload: string): Frame {
    const wire = this.#wire;
    let frame = event.frames?.get(wire) as Frame | undefined;
    if (frame !== undefined) return frame;
    frame = wire.encode(event.name, payload, event.id);
    if (wire.shared) {
      event.frames ??= new Map();
      event.frames.set(wire, frame);
    }
    return frame;
  }

  #joinVisible(piece: readonly LogEvent[]): Visible<Frame> | undefined {
    const frames: Frame[] = [];
    let id = "";
    for (const event of piece) {
      if (event.payload === null || !this.#mayPass(event.channelId)) continue;
      frames.push(this.#frameOf(event, event.payload));
      id = event.id;
    }
    const [first] = frames;
    return first === undefined ? undefined : { frame: frames.length > 1 ? this.#wire.join(frames) : first, id };
  }

  #joinAll(piece: readonly LogEvent[], joined: Map<object, unknown>): Visible<Frame> | undefined {
    if (joined.has(this.#wire)) return joined.get(this.#wire) as Visible<Frame> | undefined;
    const visible = this.#joinVisible(piece);
    joined.set(this.#wire, visible);
    return visible;
  }
}

// biome-ignore lint/suspicious/noExplicitAny: feeds of different wires stand side by side; none is given another's frames.
type AnyFeed = Feed<any>;

/** All feeds of this process. */
export class Feeds {
  readonly log: EventLog;
  readonly clock: Clock;
  readonly onError: (error: unknown) => void;
  readonly #feeds = new Set<AnyFeed>();
  readonly #ephemerals = new Map<string, EphemeralState>();
  #ephemeralVersion = 0;

  constructor(log: EventLog, clock: Clock, onError: (error: unknown) => void) {
    this.log = log;
    this.clock = clock;
    this.onError = onError;
    log.subscribe((events) => this.#publish(events));
    clock.every(sweepMs, () => this.#sweep());
  }

  get ephemeralVersion(): number {
    return this.#ephemeralVersion;
  }

  get size(): number {
    return this.#feeds.size;
  }

  /**
   * Opens a feed. Without a cursor it begins at the head; with one, after it, or with `resync` where that is impossible.
   * The head is taken before anything is awaited: what is committed from now on is not missed.
   */
  async open<Frame>(options: FeedOptions<Frame>, cursor?: string): Promise<Feed<Frame>> {
    const head = this.log.head;
    if (cursor === undefined) return this.#start(new Feed(this, options, head));
    // Another node may have written what the cursor names, or emptied what it leads to.
    await this.log.fresh();
    const location = await this.log.locate(cursor);
    if ("position" in location) return this.#start(new Feed(this, options, location.position));
    const feed = new Feed(this, options, head);
    feed.resync(location.reason);
    return this.#start(feed);
  }

  #start<Frame>(feed: Feed<Frame>): Feed<Frame> {
    this.#feeds.add(feed);
    feed.resume();
    return feed;
  }

  remove(feed: AnyFeed): void {
    this.#feeds.delete(feed);
  }

  /** Tells every reader that is level with the log; the others get the latest state of `key` when they are. */
  announce(key: string, ephemeral: Ephemeral): void {
    this.#ephemeralVersion += 1;
    const state = { ...ephemeral, version: this.#ephemeralVersion, at: this.clock.monotonic() };
    // Deleted first, so that the map's order is the order of versions.
    this.#ephemerals.delete(key);
    this.#ephemerals.set(key, state);
    const encoded = new Map<object, unknown>();
    for (const feed of this.#feeds) this.#guarded(feed, () => feed.deliverEphemeral(state, encoded));
  }

  ephemeralsSince(version: number): EphemeralState[] {
    if (version === this.#ephemeralVersion) return [];
    return [...this.#ephemerals.values()].filter((state) => state.version > version);
  }

  #publish(events: readonly LogEvent[]): void {
    for (const piece of pieces(events)) {
      const joined = new Map<object, unknown>();
      for (const feed of this.#feeds) this.#guarded(feed, () => feed.deliver(piece, joined));
    }
  }

  #sweep(): void {
    const now = this.clock.monotonic();
    for (const [key, state] of this.#ephemerals) {
      if (now - state.at < ephemeralMs) break;
      this.#ephemerals.delete(key);
    }
    for (const feed of this.#feeds) this.#guarded(feed, () => feed.sweep(now));
  }

  /** A reader whose end fails is dropped, and no other feels it. */
  #guarded(feed: AnyFeed, step: () => void): void {
    try {
      step();
    } catch (error) {
      feed.close();
      this.onError(error);
    }
  }
}
