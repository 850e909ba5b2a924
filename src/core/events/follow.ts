/** Owns what a procedure can do with the log: read a page of it, or follow it. */

/** Can be iterated, or a socket takes it over and writes the events itself. */
export interface Follow<Item> extends AsyncIterable<Item, void> {
  readonly channels: ReadonlySet<number> | undefined;
  readonly cursor: string | undefined;
}

export interface LoggedItem {
  readonly id: string;
  readonly event: string;
  readonly data: unknown;
}

export interface FollowOptions {
  readonly cursor?: string | undefined;
  readonly channels?: ReadonlySet<number> | undefined;
  /** The caller's address: reading the log is shared out by it. */
  readonly address: string;
  /** Aborts when the caller leaves. */
  readonly signal?: AbortSignal | undefined;
  /** As in the context. */
  readonly isFresh?: boolean | undefined;
}

export interface EventReader {
  /** Up to `limit` events after a cursor, or one `resync`. There may be fewer, or none, where the cursor has moved: go on from there. */
  list(options: FollowOptions & { readonly limit: number }): Promise<{ events: LoggedItem[]; cursor: string }>;
  follow<Item>(options: FollowOptions): Follow<Item>;
}
