/** Owns the feed: the position of one reader in the log. Replay and live delivery run the same code; a slow reader costs one number. */
import type { Clock } from "../clock.ts";
import type { FairQueue } from "../fair-queue.ts";
import { maxUnreadBytes, tooSlowMs } from "../limits.ts";
import type { EphemeralState, Ephemerals } from "./ephemerals.ts";
import type { EventLog, LogEvent, Position, ResyncReason } from "./log.ts";
import { pieces } from "./pieces.ts";

/** How one wire encodes an event. `Frame` is bytes if the wire is a socket. */
export interface Wire<Frame> {
  /** `payload` is JSON; an event of the moment has no `id`. */
  encode(name: string, payload: string, id?: string): Frame;
  join(frames: readonly Frame[]): Frame;
  /** Whether many readers share this wire, so that its frames are worth keeping. */
  readonly shared: boolean;
}

/** The reader's end. */
export interface Sink<Frame> {
  /** Bytes that wait in this process until the reader reads them. */
  readonly backlog: number;
  write(frame: Frame): void;
  /** The reader has read nothing for too long. */
  tooSlow(): void;
}

export interface FeedOptions<Frame> {
  readonly wire: Wire<Frame>;
  readonly sink: Sink<Frame>;
  /** Only events of these channels, and events that belong to no channel. Undefined: all. */
  readonly channels?: ReadonlySet<number> | undefined;
  /** Whether `ready` is sent unasked. */
  readonly announce: boolean;
  /** The reader's address: its replay takes turns with those of other addresses. */
  readonly address: string;
}

/** What all feeds of this process share. */
export interface FeedSurroundings {
  readonly log: EventLog;
  readonly ephemerals: Ephemerals;
  readonly turns: FairQueue;
  readonly clock: Clock;
  readonly onError: (error: unknown) => void;
  /** The feed has ended. */
  remove(feed: AnyFeed): void;
}

/** A feed of any wire: none gets the frames of another wire. */
export type AnyFeed = Pick<Feed<never>, "deliver" | "deliverEphemerals" | "sweep" | "close">;

const chunkEvents = 256;
const positionMs = 60_000;

/** What a reader may see of a piece of the log, in one frame, and the id of the last of it. */
interface Visible<Frame> {
  readonly frame: Frame;
  readonly id: string;
}

export class Feed<Frame> {
  readonly #around: FeedSurroundings;
  readonly #wire: Wire<Frame>;
  readonly #sink: Sink<Frame>;
  readonly #channels: ReadonlySet<number> | undefined;
  readonly #address: string;
  #position: Position;
  /** The last id that the reader got. */
  #known: string;
  #knownAt: number;
  /** Whether it has asked for positions: by a cursor, or by waiting for `ready`. */
  #told = false;
  #announce: boolean;
  #ephemeralVersion: number;
  /** Whether something has changed since the pump began. */
  #wanted = false;
  #pumping = false;
  #blockedAt: number | undefined;
  #state: "catching up" | "live" | "closed" = "catching up";

  constructor(around: FeedSurroundings, options: FeedOptions<Frame>, position: Position, ephemeralVersion: number) {
    this.#around = around;
    this.#wire = options.wire;
    this.#sink = options.sink;
    this.#channels = options.channels;
    this.#announce = options.announce;
    this.#address = options.address;
    this.#position = position;
    this.#known = position.id;
    this.#knownAt = around.clock.monotonic();
    this.#ephemeralVersion = ephemeralVersion;
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

  /** The sink has room again, or there is something new. A pump that is running reads the flag before it ends. */
  resume(): void {
    if (this.#state !== "catching up") return;
    this.#wanted = true;
    if (!this.#pumping) void this.#run();
  }

  close(): void {
    this.#state = "closed";
    this.#around.remove(this);
  }

  /** A piece of one commit, for a feed that was level with the log before it. `joined` holds what each wire made of all of it. */
  deliver(piece: readonly LogEvent[], joined: Map<object, unknown>): void {
    if (this.#state !== "live" || this.#standsBack()) return;
    this.#pass(piece, this.#channels ? this.#joinVisible(piece) : this.#joinAll(piece, joined));
    this.#standsBack();
  }

  /** States of the moment, for a feed that is level with the log. `joined` holds what each wire made of all of them. */
  deliverEphemerals(states: readonly EphemeralState[], joined: Map<object, unknown>): void {
    if (this.#state !== "live" || this.#standsBack()) return;
    this.#passEphemerals(states, joined);
  }

  /** Once a second: ends readers that read nothing, and sends the others their position if no event did. */
  sweep(now: number): void {
    if (this.#blockedAt !== undefined && now - this.#blockedAt >= tooSlowMs) {
      this.close();
      this.#sink.tooSlow();
    } else if (this.#state === "live" && this.#told && this.#known !== this.#position.id && now - this.#knownAt >= positionMs) {
      this.#sendReady();
    } else if (this.#state === "catching up") {
      // A replay that failed on the database continues from its position.
      this.resume();
    }
  }

  /** Nothing is awaited between the last read of the flag and the end, so that no call is lost. */
  async #run(): Promise<void> {
    this.#pumping = true;
    while (this.#wanted) {
      this.#wanted = false;
      try {
        await this.#pump();
      } catch (error) {
        this.#around.onError(error);
      }
    }
    this.#pumping = false;
  }

  /** Events of the next piece that are in memory are sent at once; for the rest the feed waits for its turn. */
  async #pump(): Promise<void> {
    if (!this.#mayGoOn()) return;
    const recent = this.#around.log.recent(this.#position.seq, chunkEvents);
    if (recent) this.#replay(recent);
    const isWanted = () => this.#state === "catching up";
    while (this.#mayGoOn()) await this.#around.turns.take(this.#address, () => this.#step(), isWanted);
  }

  /** Whether there is something to replay and room for it. A feed that is level goes live. */
  #mayGoOn(): boolean {
    if (this.#state !== "catching up") return false;
    if (this.#sink.backlog > maxUnreadBytes) {
      this.#blockedAt ??= this.#around.clock.monotonic();
      return false;
    }
    this.#blockedAt = undefined;
    if (this.#position.seq < this.#around.log.head.seq) return true;
    this.#goLive();
    return false;
  }

  async #step(): Promise<void> {
    if (!this.#mayGoOn()) return;
    const events = await this.#around.log.after(this.#position.seq, chunkEvents, this.#channels);
    if (this.#state !== "catching up") return;
    // Positions have no gaps: a missing one was pruned during the replay.
    if (events[0]?.seq === this.#position.seq + 1) this.#replay(events);
    else this.#startOver();
  }

  #startOver(): void {
    this.#position = this.#around.log.head;
    this.resync("expired");
  }

  /** Sends what the reader may see of `events`, up to where its socket is full; the rest is read again later. */
  #replay(events: readonly LogEvent[]): void {
    for (const piece of pieces(events)) {
      if (this.#sink.backlog > maxUnreadBytes) return;
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
    this.#knownAt = this.#around.clock.monotonic();
  }

  #goLive(): void {
    this.#state = "live";
    if (this.#announce) this.#sendReady();
    for (const states of pieces(this.#around.ephemerals.since(this.#ephemeralVersion))) {
      this.#passEphemerals(states);
      // The rest follows when the socket has room, because states are in the order of their versions.
      if (this.#state !== "live") return;
    }
    this.#ephemeralVersion = this.#around.ephemerals.version;
  }

  /** In one frame, those that the reader may see and has not seen. */
  #passEphemerals(states: readonly EphemeralState[], joined?: Map<object, unknown>): void {
    const [first, last] = [states[0], states.at(-1)];
    if (!first || !last || last.version <= this.#ephemeralVersion) return;
    const all = this.#channels === undefined && first.version > this.#ephemeralVersion;
    let frame = all ? (joined?.get(this.#wire) as Frame | undefined) : undefined;
    if (frame === undefined) {
      const visible = states.filter(({ version, channel_id }) => version > this.#ephemeralVersion && this.#mayPass(channel_id));
      const frames = visible.map(({ name, payload }) => this.#wire.encode(name, payload));
      const [only] = frames;
      if (only !== undefined) frame = frames.length > 1 ? this.#wire.join(frames) : only;
      if (all) joined?.set(this.#wire, frame);
    }
    this.#ephemeralVersion = last.version;
    if (frame === undefined) return;
    this.#sink.write(frame);
    this.#standsBack();
  }

  #sendReady(): void {
    this.#announce = false;
    this.#send("ready", JSON.stringify({ cursor: this.#position.id }), this.#position.id);
  }

  #send(name: string, payload: string, id: string): void {
    this.#told = true;
    this.#known = id;
    this.#knownAt = this.#around.clock.monotonic();
    this.#sink.write(this.#wire.encode(name, payload, id));
  }

  /** Whether the socket is full; then the feed goes on from its position when there is room. */
  #standsBack(): boolean {
    if (this.#sink.backlog <= maxUnreadBytes) return false;
    if (this.#state === "live") {
      this.#state = "catching up";
      this.#blockedAt = this.#around.clock.monotonic();
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
      if (event.payload === null || !this.#mayPass(event.channel_id)) continue;
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
