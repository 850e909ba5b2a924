/** Owns the address: which channel the page shows stands behind its `#`, so that Back goes back. */
import { useSyncExternalStore } from "react";

const form = /^#\/channel\/([1-9]\d{0,15})$/;

function read(): number | undefined {
  const match = form.exec(location.hash);
  return match ? Number(match[1]) : undefined;
}

function subscribe(listener: () => void): () => void {
  addEventListener("hashchange", listener);
  return () => removeEventListener("hashchange", listener);
}

export const channelAddress = (id: number): string => `#/channel/${id}`;

export function useRoute(): number | undefined {
  return useSyncExternalStore(subscribe, read);
}

export function go(id: number | undefined, { replace = false } = {}): void {
  const url = id === undefined ? location.pathname : channelAddress(id);
  if (replace) history.replaceState(null, "", url);
  else history.pushState(null, "", url);
  dispatchEvent(new HashChangeEvent("hashchange"));
}
