/** Owns questions to the browser about the window: how wide, whether it is looked at. */
import { useSyncExternalStore } from "react";

const wide = matchMedia("(min-width: 45rem)");

/** Whether channels and conversation fit beside each other. */
export function useIsWide(): boolean {
  return useSyncExternalStore(
    (listener) => {
      wide.addEventListener("change", listener);
      return () => wide.removeEventListener("change", listener);
    },
    () => wide.matches,
  );
}

export function useIsVisible(): boolean {
  return useSyncExternalStore(
    (listener) => {
      document.addEventListener("visibilitychange", listener);
      return () => document.removeEventListener("visibilitychange", listener);
    },
    () => !document.hidden,
  );
}
