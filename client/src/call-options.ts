/** Owns the options of calls. */

/** Options that every call takes in addition to its input. */
export interface CallOptions {
  /** Ends the call: its promise rejects with the signal's reason. */
  signal?: AbortSignal;
}
