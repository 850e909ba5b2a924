/** Owns who is in which channel and who is typing: the open sockets of this node and what the other nodes report; nothing is stored. */
import type { Bus } from "../../core/bus.ts";
import type { Clock } from "../../core/clock.ts";
import type { Feeds } from "../../core/events/feeds.ts";
import type { EventLog } from "../../core/events/log.ts";
import { crowdPauseMs, crowdUsers, lingerMs, movementPauseMs, moves, renewalMs, settleBeyondMovesMs } from "../../core/limits.ts";
import type { Peers } from "../../core/peers.ts";
import type { Presence } from "../../core/presence.ts";
import { RecentIds } from "../../core/recent-ids.ts";
import { deleteChannel, noSuchChannel } from "../channel/channel.queries.ts";
import { Pace } from "./pace.ts";
import { presenceEvents } from "./presence.events.ts";
import { PresenceNodes, type Rooms } from "./presence.nodes.ts";
import { Typing } from "./typing.ts";

const [channelMovement, startTyping, stopTyping] = presenceEvents;

/** Changes that come together are announced together. */
const settleMs = 20;

export interface PresenceOptions {
  readonly clock: Clock;
  readonly feeds: Pick<Feeds, "announce">;
  readonly log: Pick<EventLog, "subscribe">;
  readonly bus: Bus;
  readonly peers: Peers;
}

function movement(channelId: number, users: readonly number[]): string {
  return JSON.stringify({ channel_id: channelId, users });
}

class Room {
  /** Users with the number of their sockets in here. */
  readonly users = new Map<number, number>();
  /** Users whom the sockets of other nodes hold in here, by node. */
  readonly elsewhere = new Map<string, Set<number>>();
  readonly watchers = new Set<(users: number[] | undefined) => void>();
  announced = "";
  /** Set while a change waits to be announced, and for a while after an announcement. */
  cancelPause: (() => void) | undefined;
  /** When that is over, and before when nothing is announced; in monotonic milliseconds. */
  dueAt = 0;
  notBefore = 0;

  list(): number[] {
    const all =
      this.elsewhere.size === 0
        ? this.users.keys()
        : new Set([this.users, ...this.elsewhere.values()].flatMap((users) => [...users.keys()]));
    return [...all].sort((a, b) => a - b);
  }

  has(userId: number): boolean {
    return this.users.has(userId) || [...this.elsewhere.values()].some((users) => users.has(userId));
  }
}

export class ChannelPresence implements Presence, Rooms {
  readonly #clock: Clock;
  readonly #feeds: PresenceOptions["feeds"];
  readonly #rooms = new Map<number, Room>();
  readonly #typing: Typing;
  readonly #pace: Pace;
  /** Channels that were removed while somebody may still be on the way in. */
  readonly #closed = new RecentIds(1_000);
  readonly #nodes: PresenceNodes;

  constructor({ clock, feeds, log, bus, peers }: PresenceOptions) {
    this.#clock = clock;
    this.#feeds = feeds;
    log.subscribe((events) => {
      for (const { name, channel_id } of events) if (name === deleteChannel.name && channel_id !== null) this.#closeChannel(channel_id);
    });
    this.#nodes = new PresenceNodes(bus, peers, this);
    this.#pace = new Pace(clock, moves);
    this.#typing = new Typing(clock, {
      announce: (channelId, userId, typing) =>
        feeds.announce(`typing:${channelId}:${userId}`, {
          name: (typing ? startTyping : stopTyping).name,
          channel_id: channelId,
          payload: JSON.stringify({ user_id: userId, channel_id: channelId }),
        }),
      tell: (channelId, userId, typing) => this.#nodes.tellTyping(channelId, userId, typing),
    });
  }

  close(): void {
    this.#nodes.close();
  }

  users(channelId: number): number[] {
    return this.#rooms.get(channelId)?.list() ?? [];
  }

  enter(channelId: number, userId: number): (options?: { lingering?: boolean; renewing?: boolean }) => void {
    this.#requireOpen(channelId);
    const room = this.#room(channelId);
    const sockets = room.users.get(userId) ?? 0;
    room.users.set(userId, sockets + 1);
    if (sockets === 0) {
      this.#nodes.tellMove(channelId, userId, true);
      this.#moved(channelId, room, userId);
    }
    let inside = true;
    return ({ lingering = false, renewing = false } = {}) => {
      if (!inside) return;
      inside = false;
      if (lingering || renewing) this.#clock.after(renewing ? renewalMs : lingerMs, () => this.#leave(channelId, room, userId));
      else this.#leave(channelId, room, userId);
    };
  }

  watch(channelId: number, listener: (users: number[] | undefined) => void): () => void {
    const room = this.#room(channelId);
    room.watchers.add(listener);
    return () => {
      room.watchers.delete(listener);
      this.#forgetEmpty(channelId, room);
    };
  }

  /** A channel is gone, and everybody in it is nowhere. */
  #closeChannel(channelId: number): void {
    this.#closed.add(channelId);
    this.#typing.forgetChannel(channelId);
    const room = this.#rooms.get(channelId);
    if (!room) return;
    this.#rooms.delete(channelId);
    room.cancelPause?.();
    // Each node learns it from the log; this is for a node that joins in the meantime.
    for (const userId of room.users.keys()) this.#nodes.tellMove(channelId, userId, false);
    room.users.clear();
    for (const watcher of room.watchers) watcher(undefined);
  }

  /** For another history of the table: the ids of removed channels may be used again. */
  forget(): void {
    this.#closed.clear();
  }

  startTyping(channelId: number, userId: number): void {
    this.#requireOpen(channelId);
    this.#typing.start(channelId, userId);
  }

  stopTyping(channelId: number, userId: number, options?: { atOnce?: boolean }): void {
    this.#typing.stop(channelId, userId, options);
  }

  local(): [number, number[]][] {
    return [...this.#rooms].flatMap(([channelId, { users }]) => (users.size === 0 ? [] : [[channelId, [...users.keys()]]]));
  }

  hearMove(node: string, channelId: number, userId: number, inside: boolean): void {
    // That node has not heard yet that the channel is gone.
    if (this.#closed.has(channelId)) return;
    const room = this.#room(channelId);
    const users = room.elsewhere.get(node) ?? new Set();
    if (inside) users.add(userId);
    else users.delete(userId);
    this.#keep(room, node, users);
    this.#moved(channelId, room, userId);
  }

  hearAll(node: string, rooms: readonly (readonly [number, readonly number[]])[]): void {
    const told = new Map(rooms.filter(([channelId]) => !this.#closed.has(channelId)));
    for (const channelId of told.keys()) this.#room(channelId);
    for (const [channelId, room] of this.#rooms) {
      const users = told.get(channelId);
      if (!users && !room.elsewhere.has(node)) continue;
      this.#keep(room, node, new Set(users));
      this.#announceWithin(settleMs, channelId, room);
    }
  }

  hearTyping(channelId: number, userId: number, typing: boolean): void {
    if (!this.#closed.has(channelId)) this.#typing.hear(channelId, userId, typing);
  }

  #requireOpen(channelId: number): void {
    if (this.#closed.has(channelId)) throw noSuchChannel();
  }

  #keep(room: Room, node: string, users: Set<number>): void {
    if (users.size > 0) room.elsewhere.set(node, users);
    else room.elsewhere.delete(node);
  }

  #room(channelId: number): Room {
    let room = this.#rooms.get(channelId);
    if (!room) {
      room = new Room();
      room.announced = movement(channelId, []);
      this.#rooms.set(channelId, room);
    }
    return room;
  }

  #leave(channelId: number, room: Room, userId: number): void {
    const sockets = room.users.get(userId);
    if (sockets === undefined) return;
    if (sockets > 1) {
      room.users.set(userId, sockets - 1);
      return;
    }
    room.users.delete(userId);
    this.#nodes.tellMove(channelId, userId, false);
    if (!room.has(userId)) this.stopTyping(channelId, userId);
    this.#moved(channelId, room, userId);
  }

  #moved(channelId: number, room: Room, userId: number): void {
    this.#announceWithin(this.#pace.take(userId) === 0 ? settleMs : settleBeyondMovesMs, channelId, room);
  }

  /** Soon, and never more often than the room's size allows. */
  #announceWithin(delayMs: number, channelId: number, room: Room): void {
    const now = this.#clock.monotonic();
    const dueAt = Math.max(now + delayMs, room.notBefore);
    if (room.cancelPause && room.dueAt <= dueAt) return;
    room.cancelPause?.();
    room.dueAt = dueAt;
    room.cancelPause = this.#clock.after(dueAt - now, () => this.#flush(channelId, room));
  }

  #flush(channelId: number, room: Room): void {
    room.cancelPause = undefined;
    const users = room.list();
    const payload = movement(channelId, users);
    if (payload !== room.announced) {
      room.announced = payload;
      const pauseMs = users.length > crowdUsers ? crowdPauseMs : movementPauseMs;
      room.notBefore = this.#clock.monotonic() + pauseMs;
      this.#announceWithin(pauseMs, channelId, room);
      this.#feeds.announce(`movement:${channelId}`, { name: channelMovement.name, channel_id: channelId, payload });
      for (const watcher of room.watchers) watcher(users);
    }
    this.#forgetEmpty(channelId, room);
  }

  /** An empty room that nobody watches is kept no longer than its announcements need it. */
  #forgetEmpty(channelId: number, room: Room): void {
    if (
      room.users.size === 0 &&
      room.elsewhere.size === 0 &&
      room.watchers.size === 0 &&
      !room.cancelPause &&
      this.#rooms.get(channelId) === room
    )
      this.#rooms.delete(channelId);
  }
}
