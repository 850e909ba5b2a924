/** Owns the options of calls. */

/** What every call takes beside its input. */
export interface CallOptions {
  /** Ends the call: its promise rejects with the signal's reason. */
  signal?: AbortSignal;
}
