/** Owns whom a request comes from: the user its token proves, and its address. */

/** A user who has signed in, as a token proves it. The fields have their names on the wire. */
export interface Caller {
  readonly session_id: number;
  readonly user_id: number;
  readonly username: string;
  readonly admin: boolean;
  /** Wall time in milliseconds. */
  readonly expires_at: number;
}

export interface Origin {
  /** The client's address, seen through trusted proxies. */
  readonly address: string;
  /** From this machine, and no proxy has passed it on. */
  readonly local: boolean;
}
