/** Owns which day it is, for as long as the page is open. */
import { useSyncExternalStore } from "react";
import { dayOf, nextDayOf } from "./times.ts";

/** A timer stands still while a machine sleeps, and a clock may be set: none runs for longer than this. */
const longestMs = 30_000;

function subscribe(listener: () => void): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const look = () => {
    listener();
    clearTimeout(timer);
    const now = Date.now();
    timer = setTimeout(look, Math.min(nextDayOf(now) - now, longestMs));
  };
  look();
  document.addEventListener("visibilitychange", look);
  return () => {
    clearTimeout(timer);
    document.removeEventListener("visibilitychange", look);
  };
}

/** The local day, as `dayOf` gives it. */
export function useToday(): number {
  return useSyncExternalStore(subscribe, () => dayOf(Date.now()));
}
