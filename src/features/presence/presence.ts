/** Owns who is in which channel and who is typing on this node: the set of open sockets, and nothing stored. */
import type { Clock } from "../../core/clock.ts";
import type { Presence } from "../../core/context.ts";
import type { Ephemeral } from "../../core/events/feed.ts";
import { presenceEvents } from "./presence.events.ts";

const [channelMovement, startTyping, stopTyping] = presenceEvents;

const settleMs = 20;
const mergeMs = 250;
const crowd = 500;
const crowdMergeMs = 2_000;
/** A page that reloads is back within this; nobody hears of it. */
const lingerMs = 1_000;
const typingMs = 6_000;

/** Sends an event of the moment to everyone who may see it; `key` names the state it replaces. */
export type Announce = (key: string, ephemeral: Ephemeral) => void;

function movement(channelId: number, users: readonly number[]): string {
  return JSON.stringify({ channel_id: channelId, users });
}

class Room {
  /** Users with the number of their sockets in here. */
  readonly users = new Map<number, number>();
  readonly watchers = new Set<(users: number[] | undefined) => void>();
  announced = "";
  /** Set while a change waits to be announced, and for a while after an announcement. */
  cancelPause: (() => void) | undefined;

  list(): number[] {
    return [...this.users.keys()].sort((a, b) => a - b);
  }
}

export class LocalPresence implements Presence {
  readonly #clock: Clock;
  readonly #announce: Announce;
  readonly #rooms = new Map<number, Room>();
  /** The way to cancel the server's own stop, by channel and user. */
  readonly #typing = new Map<string, () => void>();

  constructor(clock: Clock, announce: Announce) {
    this.#clock = clock;
    this.#announce = announce;
  }

  users(channelId: number): number[] {
    return this.#rooms.get(channelId)?.list() ?? [];
  }

  enter(channelId: number, userId: number): (options?: { lingering?: boolean }) => void {
    const room = this.#room(channelId);
    const sockets = room.users.get(userId) ?? 0;
    room.users.set(userId, sockets + 1);
    if (sockets === 0) this.#changed(channelId, room);
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
    for (const [key, cancel] of this.#typing) {
      if (!key.startsWith(`${channelId}:`)) continue;
      cancel();
      this.#typing.delete(key);
    }
    const room = this.#rooms.get(channelId);
    if (!room) return;
    this.#rooms.delete(channelId);
    room.cancelPause?.();
    room.users.clear();
    for (const watcher of room.watchers) watcher(undefined);
  }

  startTyping(channelId: number, userId: number): void {
    const key = `${channelId}:${userId}`;
    const cancel = this.#typing.get(key);
    cancel?.();
    this.#typing.set(
      key,
      this.#clock.after(typingMs, () => this.stopTyping(channelId, userId)),
    );
    if (!cancel) this.#announceTyping(startTyping.name, channelId, userId);
  }

  stopTyping(channelId: number, userId: number): void {
    const key = `${channelId}:${userId}`;
    const cancel = this.#typing.get(key);
    if (!cancel) return;
    cancel();
    this.#typing.delete(key);
    this.#announceTyping(stopTyping.name, channelId, userId);
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
    this.stopTyping(channelId, userId);
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
    if (room.users.size === 0 && room.watchers.size === 0 && !room.cancelPause && this.#rooms.get(channelId) === room)
      this.#rooms.delete(channelId);
  }
}
