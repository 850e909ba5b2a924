/** Owns the moments at which the network may have changed. */

/** Calls back when the browser reports a network change, and when a page that may have been suspended is shown. */
export function onNetworkChange(callback: () => void): () => void {
  const targets = [
    [globalThis, "online"],
    [globalThis, "offline"],
    [(globalThis as { document?: unknown }).document, "visibilitychange"],
  ] as [Partial<EventTarget> | undefined, string][];
  for (const [target, name] of targets) target?.addEventListener?.(name, callback);
  return () => {
    for (const [target, name] of targets) target?.removeEventListener?.(name, callback);
  };
}
