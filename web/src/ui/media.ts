/** Owns questions to the browser about the window: how wide, whether it is looked at. */
import { useSyncExternalStore } from "react";

function createMediaHook(query: string): () => boolean {
  const list = matchMedia(query);
  const subscribe = (listener: () => void) => {
    list.addEventListener("change", listener);
    return () => list.removeEventListener("change", listener);
  };
  return () => useSyncExternalStore(subscribe, () => list.matches);
}

/** Whether channels and conversation fit next to each other. */
export const useIsWide = createMediaHook("(min-width: 45rem)");

/** Whether the people fit next to both. */
export const useHasRoomForPeople = createMediaHook("(min-width: 70rem)");

export function useIsVisible(): boolean {
  return useSyncExternalStore(
    (listener) => {
      document.addEventListener("visibilitychange", listener);
      return () => document.removeEventListener("visibilitychange", listener);
    },
    () => !document.hidden,
  );
}
