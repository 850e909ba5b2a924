/** Owns what a procedure can do with presence, and the connection that presence depends on. */

/** The users in each channel, and those who are typing: outside the log, for the moment only. */
export interface Presence {
  /** Ids of the users in a channel, ascending, each once. */
  users(channelId: number): number[];
  /**
   * Brings a user in until the returned way out is taken; `lingering` leaves room for a page that reloads, `renewing` for a client that
   * was made to come back.
   */
  enter(channelId: number, userId: number): (options?: { lingering?: boolean; renewing?: boolean }) => void;
  /** Calls back with the users at each change that is announced; with undefined when the channel is gone. */
  watch(channelId: number, listener: (users: number[] | undefined) => void): () => void;
  startTyping(channelId: number, userId: number): void;
  /** `atOnce`: readers see something else that ends it, a message for example. */
  stopTyping(channelId: number, userId: number, options?: { atOnce?: boolean }): void;
}

/** The socket of a call. */
export interface Socket {
  readonly open: boolean;
  /** Calls back once when the socket closes; another callback under the same key takes its place. */
  onClose(key: string, callback: () => void): void;
}

/**
 * The answer that a subscription over HTTP is written to. The server cannot see that its client has gone without closing: it ends the
 * answer before long, and a client that is there comes back.
 */
export interface Stream {
  readonly renewing: boolean;
}
