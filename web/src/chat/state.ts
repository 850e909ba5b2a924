/** Owns what the page knows. */
import type { Channel, ConnectionState, Self } from "@keenchat/client";
import type { Outgoing } from "./outgoing.ts";
import type { Timeline } from "./timeline.ts";

export interface Unread {
  readonly count: number;
  /** The first message that was not seen: where the line goes. */
  readonly first: number;
}

export interface State {
  readonly self: Self;
  readonly connection: ConnectionState;
  /** Undefined until they were read. */
  readonly channels: ReadonlyMap<number, Channel> | undefined;
  readonly users: ReadonlyMap<number, string>;
  readonly timelines: ReadonlyMap<number, Timeline>;
  readonly outbox: readonly Outgoing[];
  readonly unread: ReadonlyMap<number, Unread>;
  /** Who types where, in the order they began. */
  readonly typing: ReadonlyMap<number, readonly number[]>;
  readonly openId: number | undefined;
  /** Where the line above what is new stands in the open channel. */
  readonly newFrom: number | undefined;
  /** Who is in the open channel. */
  readonly here: readonly number[];
  /** Another version of this page is served. */
  readonly outdated: boolean;
  readonly wire: { readonly cursor: string | undefined; readonly replayed: number; readonly connections: number };
}

export function createState(self: Self): State {
  return {
    self,
    connection: "connecting",
    channels: undefined,
    users: new Map([[self.user_id, self.username]]),
    timelines: new Map(),
    outbox: [],
    unread: new Map(),
    typing: new Map(),
    openId: undefined,
    newFrom: undefined,
    here: [],
    outdated: false,
    wire: { cursor: undefined, replayed: 0, connections: 0 },
  };
}
