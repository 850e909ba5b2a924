/** Owns where a user is seen through one socket: the channel they are in, and those they type in. */
import type { Presence } from "../../core/presence.ts";

export class Attendance {
  readonly #presence: Presence;
  readonly #userId: number;
  #channelId: number | undefined;
  #leave: ((options?: { lingering?: boolean }) => void) | undefined;
  #typing: Set<number> | undefined;

  constructor(presence: Presence, userId: number) {
    this.#presence = presence;
    this.#userId = userId;
  }

  isIn(channelId: unknown): boolean {
    return this.#channelId !== undefined && this.#channelId === channelId;
  }

  /** Leaves the channel it was in. */
  enter(channelId: number): void {
    this.leave();
    this.#leave = this.#presence.enter(channelId, this.#userId);
    this.#channelId = channelId;
  }

  leave(options?: { lingering: boolean }): void {
    if (this.#channelId !== undefined) this.#stopTyping(this.#channelId);
    this.#leave?.(options);
    this.#leave = undefined;
    this.#channelId = undefined;
  }

  /** Remembers that the user types somewhere, or has stopped. */
  type(channelId: number, typing: boolean): void {
    this.#typing ??= new Set();
    if (typing) this.#typing.add(channelId);
    else this.#typing.delete(channelId);
  }

  /** Takes the user out of everything they were seen in. */
  withdraw(options?: { lingering: boolean }): void {
    for (const channelId of this.#typing ?? []) this.#stopTyping(channelId);
    this.leave(options);
  }

  #stopTyping(channelId: number): void {
    if (this.#typing?.delete(channelId)) this.#presence.stopTyping(channelId, this.#userId);
  }
}
