/** Owns the origin of a request: the user that its token proves, and its address. */

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
  /** The request comes from this machine, and not through a proxy. */
  readonly local: boolean;
}
