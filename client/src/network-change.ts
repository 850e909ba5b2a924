/** Owns the moments where the network may have come or gone. */

/** Calls back when the browser says that the network changed, and when a page is shown that may have been asleep. */
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
