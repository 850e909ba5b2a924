/** Owns who is typing where. A change is announced at once while changes are few; where they are many, the last value is announced later. */
import type { Clock } from "../../core/clock.ts";
import { typingMs, typingPauseMs, typingStarts } from "../../core/limits.ts";
import { Pace } from "./pace.ts";

/** How often, at most, other nodes are told that somebody goes on typing; they wait for so much longer than the node itself. */
const toldMs = 250;

export interface TypingListeners {
  /** Tells the readers of this node. */
  announce(channelId: number, userId: number, typing: boolean): void;
  /** Tells the other nodes what this one has announced, or that it goes on. */
  tell(channelId: number, userId: number, typing: boolean): void;
}

class State {
  readonly channelId: number;
  readonly userId: number;
  typing = false;
  /** What readers were told last. */
  announced = false;
  /** Whether the last change came by this node, so that the others are told by it. */
  local = false;
  toldAt = Number.NEGATIVE_INFINITY;
  /** Cancels the end by silence. */
  cancelEnd = () => {};
  /** Set for a while after an announcement. */
  cancelPause: (() => void) | undefined;

  constructor(channelId: number, userId: number) {
    this.channelId = channelId;
    this.userId = userId;
  }
}

/** Where a user types while no start is left: the last one to begin is announced first. */
interface Waiting {
  readonly states: Set<State>;
  cancel: () => void;
}

export class Typing {
  readonly #clock: Clock;
  readonly #listeners: TypingListeners;
  readonly #states = new Map<string, State>();
  readonly #waiting = new Map<number, Waiting>();
  readonly #pace: Pace;

  constructor(clock: Clock, listeners: TypingListeners) {
    this.#clock = clock;
    this.#listeners = listeners;
    this.#pace = new Pace(clock, typingStarts);
  }

  start(channelId: number, userId: number): void {
    const state = this.#keep(channelId, userId, typingMs, () => this.stop(channelId, userId));
    state.local = true;
    this.#settle(state);
    if (state.announced && this.#clock.monotonic() - state.toldAt >= toldMs) this.#tell(state, true);
  }

  /** `atOnce` is for a stop that stands for something else that readers see. */
  stop(channelId: number, userId: number, { atOnce = false } = {}): void {
    const state = this.#states.get(`${channelId}:${userId}`);
    if (!state) return;
    state.local = true;
    this.#end(state, atOnce);
  }

  /** What another node tells. Where that node ends, its word holds a little longer than its own wait. */
  hear(channelId: number, userId: number, typing: boolean): void {
    const state = typing
      ? this.#keep(channelId, userId, typingMs + toldMs, () => this.hear(channelId, userId, false))
      : this.#states.get(`${channelId}:${userId}`);
    if (!state) return;
    state.local = false;
    if (typing) this.#settle(state);
    else this.#end(state, false);
  }

  /** Everybody stops there, and nobody is told. */
  forgetChannel(channelId: number): void {
    for (const state of this.#states.values()) {
      if (state.channelId !== channelId) continue;
      state.cancelEnd();
      state.cancelPause?.();
      this.#forget(state);
    }
  }

  #keep(channelId: number, userId: number, silenceMs: number, end: () => void): State {
    const key = `${channelId}:${userId}`;
    const state = this.#states.get(key) ?? new State(channelId, userId);
    this.#states.set(key, state);
    state.typing = true;
    state.cancelEnd();
    state.cancelEnd = this.#clock.after(silenceMs, end);
    return state;
  }

  #end(state: State, atOnce: boolean): void {
    state.typing = false;
    state.cancelEnd();
    if (atOnce) {
      state.cancelPause?.();
      state.cancelPause = undefined;
    }
    this.#settle(state);
  }

  #forget(state: State): void {
    state.typing = false;
    this.#states.delete(`${state.channelId}:${state.userId}`);
    this.#stopWaiting(state);
  }

  /** Brings readers up to date with a state, if that may be now. */
  #settle(state: State): void {
    if (!state.typing) this.#stopWaiting(state);
    if (state.cancelPause) return;
    if (state.typing === state.announced) {
      if (!state.typing) this.#forget(state);
      return;
    }
    const waitMs = state.typing ? this.#pace.take(state.userId) : 0;
    if (waitMs > 0) this.#wait(state, waitMs);
    else this.#announce(state);
  }

  #announce(state: State): void {
    const { channelId, userId, typing } = state;
    this.#stopWaiting(state);
    state.announced = typing;
    state.cancelPause = this.#clock.after(typingPauseMs, () => {
      state.cancelPause = undefined;
      this.#settle(state);
    });
    this.#listeners.announce(channelId, userId, typing);
    if (state.local) this.#tell(state, typing);
  }

  #tell(state: State, typing: boolean): void {
    state.toldAt = this.#clock.monotonic();
    this.#listeners.tell(state.channelId, state.userId, typing);
  }

  #wait(state: State, waitMs: number): void {
    const { userId } = state;
    const waiting = this.#waiting.get(userId);
    if (waiting) {
      waiting.states.delete(state);
      waiting.states.add(state);
    } else this.#waiting.set(userId, { states: new Set([state]), cancel: this.#clock.after(waitMs, () => this.#next(userId)) });
  }

  /** There is one more start for a user. */
  #next(userId: number): void {
    const waiting = this.#waiting.get(userId);
    const last = waiting && [...waiting.states].at(-1);
    if (!last) return;
    this.#waiting.delete(userId);
    this.#settle(last);
    for (const state of waiting.states) if (state !== last) this.#settle(state);
  }

  #stopWaiting(state: State): void {
    const waiting = this.#waiting.get(state.userId);
    if (!waiting?.states.delete(state) || waiting.states.size > 0) return;
    waiting.cancel();
    this.#waiting.delete(state.userId);
  }
}
