/** Owns all feeds of this process: opens them, and passes commits, announcements and clock ticks on to them. */
import type { Clock } from "../clock.ts";
import { FairQueue } from "../fair-queue.ts";
import { announcementPauseMs, maxAnnouncementWrites, maxReplaysAtOnce } from "../limits.ts";
import { type Ephemeral, type EphemeralState, Ephemerals } from "./ephemerals.ts";
import { type AnyFeed, Feed, type FeedOptions, type FeedSurroundings } from "./feed.ts";
import type { EventLog, LogEvent, Position } from "./log.ts";
import { pieces } from "./pieces.ts";

/** A point in time for readers: all commits and announcements until then are before it. */
export interface Here {
  readonly position: Position;
  readonly ephemeralVersion: number;
}

/** Where a feed begins. */
interface Beginning {
  readonly cursor?: string | undefined;
  readonly here?: Here | undefined;
  /** Whether the log was just brought to what other nodes have committed. */
  readonly isFresh?: boolean | undefined;
}

const sweepMs = 1_000;

export class Feeds implements FeedSurroundings {
  readonly log: EventLog;
  readonly ephemerals = new Ephemerals();
  readonly turns = new FairQueue(maxReplaysAtOnce);
  readonly clock: Clock;
  readonly onError: (error: unknown) => void;
  readonly #feeds = new Set<AnyFeed>();
  /** Ends the look at the time. */
  readonly stop: () => void;
  /** Everything announced up to here was delivered. */
  #toldVersion = 0;
  #pauseUntil = 0;
  #writes = 0;
  /** Set while announcements wait for the end of the pause. */
  #waiting = false;

  constructor(log: EventLog, clock: Clock, onError: (error: unknown) => void) {
    this.log = log;
    this.clock = clock;
    this.onError = onError;
    log.subscribe((events) => this.#publish(events));
    this.stop = clock.every(sweepMs, () => this.#sweep());
  }

  get size(): number {
    return this.#feeds.size;
  }

  /** Now, for a reader whose feed is opened a little later. */
  here(): Here {
    return { position: this.log.head, ephemeralVersion: this.ephemerals.version };
  }

  /**
   * Opens a feed. Without a cursor it begins `here`; with one, after it, or with `resync` where that is impossible.
   * Between its position and its start nothing is awaited: what is committed from then on is not missed.
   */
  async open<Frame>(options: FeedOptions<Frame>, { cursor, here = this.here(), isFresh }: Beginning = {}): Promise<Feed<Frame>> {
    const { position, ephemeralVersion } = here;
    if (cursor === undefined) return this.#start(new Feed(this, options, position, ephemeralVersion));
    // Another node may have written the position of the cursor, or emptied the events after it.
    if (!isFresh) await this.log.fresh();
    const location = await this.log.locate(cursor);
    if ("position" in location) return this.#start(new Feed(this, options, location.position, ephemeralVersion));
    const feed = new Feed(this, options, this.log.head, ephemeralVersion);
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

  /**
   * Tells every reader that is level with the log; the others get the latest state of `key` when they are.
   * At once while that is few writes; otherwise each reader gets what has changed in one write a pause.
   */
  announce(key: string, ephemeral: Ephemeral): void {
    const now = this.clock.monotonic();
    const state = this.ephemerals.announce(key, ephemeral, now);
    if (this.#waiting) return;
    if (now >= this.#pauseUntil) {
      this.#pauseUntil = now + announcementPauseMs;
      this.#writes = 0;
    }
    if (this.#writes === 0 || this.#writes + this.#feeds.size <= maxAnnouncementWrites) this.#tell([state]);
    else {
      this.#waiting = true;
      this.clock.after(this.#pauseUntil - now, () => {
        this.#waiting = false;
        this.#pauseUntil = this.clock.monotonic() + announcementPauseMs;
        this.#writes = 0;
        this.#tell(this.ephemerals.since(this.#toldVersion));
      });
    }
  }

  #tell(states: readonly EphemeralState[]): void {
    this.#writes += this.#feeds.size;
    this.#toldVersion = this.ephemerals.version;
    for (const piece of pieces(states)) {
      const joined = new Map<object, unknown>();
      for (const feed of this.#feeds) this.#guarded(feed, () => feed.deliverEphemerals(piece, joined));
    }
  }

  #publish(events: readonly LogEvent[]): void {
    for (const piece of pieces(events)) {
      const joined = new Map<object, unknown>();
      for (const feed of this.#feeds) this.#guarded(feed, () => feed.deliver(piece, joined));
    }
  }

  #sweep(): void {
    const now = this.clock.monotonic();
    this.ephemerals.forgetOld(now);
    for (const feed of this.#feeds) this.#guarded(feed, () => feed.sweep(now));
  }

  /** A reader whose sink fails is dropped, without an effect on others. */
  #guarded(feed: AnyFeed, step: () => void): void {
    try {
      step();
    } catch (error) {
      feed.close();
      this.onError(error);
    }
  }
}
