/** Owns who is in which channel and who is typing: the open sockets of this node, what the other nodes tell of theirs, and nothing stored. */
import type { Bus } from "../../core/bus.ts";
import type { Clock } from "../../core/clock.ts";
import type { Presence } from "../../core/context.ts";
import { AppError } from "../../core/errors.ts";
import type { Ephemeral } from "../../core/events/ephemerals.ts";
import type { Peers } from "../../core/peers.ts";
import { RecentIds } from "../../core/recent-ids.ts";
import { presenceEvents } from "./presence.events.ts";
import { PresenceNodes, type Rooms } from "./presence.nodes.ts";

const [channelMovement, startTyping, stopTyping] = presenceEvents;

const settleMs = 20;
const mergeMs = 250;
const crowd = 500;
const crowdMergeMs = 2_000;
/** A page that reloads is back within this; nobody hears of it. */
const lingerMs = 1_000;
const typingMs = 6_000;
/** How often, at most, other nodes hear that somebody goes on typing; they wait for so much longer than the node itself. */
const typingToldMs = 250;

/** Sends an event of the moment to everyone who may see it; `key` names the state it replaces. */
export type Announce = (key: string, ephemeral: Ephemeral) => void;

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

interface Typing {
  /** Cancels the server's own stop. */
  readonly cancel: () => void;
  readonly toldAt: number;
}

export class ChannelPresence implements Presence, Rooms {
  readonly #clock: Clock;
  readonly #announce: Announce;
  readonly #rooms = new Map<number, Room>();
  readonly #typing = new Map<string, Typing>();
  /** Channels that were removed while somebody may still be on the way in. */
  readonly #closed = new RecentIds(1_000);
  readonly #nodes: PresenceNodes;

  constructor(clock: Clock, announce: Announce, bus: Bus, peers: Peers) {
    this.#clock = clock;
    this.#announce = announce;
    this.#nodes = new PresenceNodes(bus, peers, this);
  }

  close(): void {
    this.#nodes.close();
  }

  users(channelId: number): number[] {
    return this.#rooms.get(channelId)?.list() ?? [];
  }

  enter(channelId: number, userId: number): (options?: { lingering?: boolean }) => void {
    this.#requireOpen(channelId);
    const room = this.#room(channelId);
    const sockets = room.users.get(userId) ?? 0;
    room.users.set(userId, sockets + 1);
    if (sockets === 0) {
      this.#nodes.tellMove(channelId, userId, true);
      this.#changed(channelId, room);
    }
    let inside = true;
    return ({ lingering = false } = {}) => {
      if (!inside) return;
      inside = false;
      if (lingering) this.#clock.after(lingerMs, () => this.#leave(channelId, room, userId));
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
  closeChannel(channelId: number): void {
    this.#closed.add(channelId);
    for (const [key, { cancel }] of this.#typing) {
      if (!key.startsWith(`${channelId}:`)) continue;
      cancel();
      this.#typing.delete(key);
    }
    const room = this.#rooms.get(channelId);
    if (!room) return;
    this.#rooms.delete(channelId);
    room.cancelPause?.();
    // Each node hears of it from the log; this is for one that joins in the meantime.
    for (const userId of room.users.keys()) this.#nodes.tellMove(channelId, userId, false);
    room.users.clear();
    for (const watcher of room.watchers) watcher(undefined);
  }

  /** For another history of the table: the ids of channels that were removed may be given out anew. */
  forget(): void {
    this.#closed.clear();
  }

  startTyping(channelId: number, userId: number): void {
    this.#requireOpen(channelId);
    const now = this.#clock.monotonic();
    const before = this.#typing.get(`${channelId}:${userId}`);
    const tell = !before || now - before.toldAt >= typingToldMs;
    if (tell) this.#nodes.tellTyping(channelId, userId, true);
    this.#keepTyping(channelId, userId, tell ? now : before.toldAt, typingMs, () => this.stopTyping(channelId, userId));
  }

  stopTyping(channelId: number, userId: number): void {
    if (this.#endTyping(channelId, userId)) this.#nodes.tellTyping(channelId, userId, false);
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
    this.#settle(channelId, room, node, users);
  }

  hearAll(node: string, rooms: readonly (readonly [number, readonly number[]])[]): void {
    const told = new Map(rooms.filter(([channelId]) => !this.#closed.has(channelId)));
    for (const channelId of told.keys()) this.#room(channelId);
    for (const [channelId, room] of this.#rooms) {
      const users = told.get(channelId);
      if (users || room.elsewhere.has(node)) this.#settle(channelId, room, node, new Set(users));
    }
  }

  /** Where the node that knows better is gone, its word holds a little longer than its own wait. */
  hearTyping(channelId: number, userId: number, typing: boolean): void {
    const patienceMs = typingMs + typingToldMs;
    const end = () => this.#endTyping(channelId, userId);
    if (typing) this.#keepTyping(channelId, userId, Number.NEGATIVE_INFINITY, patienceMs, end);
    else end();
  }

  #requireOpen(channelId: number): void {
    if (this.#closed.has(channelId)) throw new AppError("NOT_FOUND", "There is no such channel.");
  }

  #settle(channelId: number, room: Room, node: string, users: Set<number>): void {
    if (users.size > 0) room.elsewhere.set(node, users);
    else room.elsewhere.delete(node);
    this.#changed(channelId, room);
  }

  #keepTyping(channelId: number, userId: number, toldAt: number, patienceMs: number, end: () => void): void {
    const key = `${channelId}:${userId}`;
    const before = this.#typing.get(key);
    before?.cancel();
    this.#typing.set(key, { cancel: this.#clock.after(patienceMs, end), toldAt });
    if (!before) this.#announceTyping(startTyping.name, channelId, userId);
  }

  #endTyping(channelId: number, userId: number): boolean {
    const key = `${channelId}:${userId}`;
    const typing = this.#typing.get(key);
    if (!typing) return false;
    typing.cancel();
    this.#typing.delete(key);
    this.#announceTyping(stopTyping.name, channelId, userId);
    return true;
  }

  #announceTyping(name: string, channelId: number, userId: number): void {
    this.#announce(`typing:${channelId}:${userId}`, {
      name,
      channelId,
      payload: JSON.stringify({ user_id: userId, channel_id: channelId }),
    });
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
    this.#changed(channelId, room);
  }

  /** Announces soon, and never more often than the room's size allows. */
  #changed(channelId: number, room: Room): void {
    room.cancelPause ??= this.#clock.after(settleMs, () => this.#flush(channelId, room));
  }

  #flush(channelId: number, room: Room): void {
    room.cancelPause = undefined;
    const users = room.list();
    const payload = movement(channelId, users);
    if (payload !== room.announced) {
      room.announced = payload;
      const pauseMs = users.length > crowd ? crowdMergeMs : mergeMs;
      room.cancelPause = this.#clock.after(pauseMs, () => this.#flush(channelId, room));
      this.#announce(`movement:${channelId}`, { name: channelMovement.name, channelId, payload });
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
