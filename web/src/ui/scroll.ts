/** Owns where a list that grows at both ends stands: at its end it stays there, elsewhere what one reads stays put. */
import { createContext, type RefObject, useCallback, useEffect, useLayoutEffect, useRef, useState } from "react";
import { flushSync } from "react-dom";

const endPx = 48;

/** Makes a change that the reader has asked for, and leaves an element where it is on the screen, at the end of the list too. */
export const KeepPlace = createContext((_: Element | null, change: () => void): void => change());

export interface Scroll {
  readonly scroller: RefObject<HTMLDivElement | null>;
  readonly list: RefObject<HTMLOListElement | null>;
  readonly isAtEnd: boolean;
  readonly onScroll: () => void;
  readonly toEnd: () => void;
  readonly keepPlace: (element: Element | null, change: () => void) => void;
}

/** Where an item stands in what is scrolled; scrolling does not change it. */
function placeOf(element: Element, scroller: Element): number {
  return element.getBoundingClientRect().top + scroller.scrollTop;
}

/** `firstId` is the first item's; `version` is another with each change of the items. Each item says with `data-place` what of it must not move. */
export function useScroll(firstId: number | undefined, version: unknown): Scroll {
  const scroller = useRef<HTMLDivElement>(null);
  const list = useRef<HTMLOListElement>(null);
  const pinned = useRef(true);
  const lastFirstId = useRef(firstId);
  /** The first item as it was shown last. */
  const first = useRef<{ element: Element; place: number }>(undefined);
  const [isAtEnd, setIsAtEnd] = useState(true);

  const rememberFirst = useCallback(() => {
    const element = list.current?.querySelector("[data-place]");
    first.current = element && scroller.current ? { element, place: placeOf(element, scroller.current) } : undefined;
  }, []);

  const toEnd = useCallback(() => {
    pinned.current = true;
    setIsAtEnd(true);
    scroller.current?.scrollTo({ top: scroller.current.scrollHeight });
  }, []);

  const keepPlace = useCallback((element: Element | null, change: () => void) => {
    const before = element?.getBoundingClientRect().top;
    pinned.current = false;
    flushSync(change);
    if (element && before !== undefined && scroller.current) scroller.current.scrollTop += element.getBoundingClientRect().top - before;
    setIsAtEnd(false);
  }, []);

  const onScroll = useCallback(() => {
    const element = scroller.current;
    if (!element) return;
    pinned.current = element.scrollHeight - element.scrollTop - element.clientHeight < endPx;
    setIsAtEnd(pinned.current);
  }, []);

  // biome-ignore lint/correctness/useExhaustiveDependencies: runs with each change of the items.
  useLayoutEffect(() => {
    const element = scroller.current;
    if (!element) return;
    const isPrepended = firstId !== undefined && lastFirstId.current !== undefined && firstId < lastFirstId.current;
    lastFirstId.current = firstId;
    if (pinned.current) element.scrollTop = element.scrollHeight;
    else if (isPrepended && first.current) {
      // Browsers with scroll anchoring do not anchor at the very top, and others never do: here it is done for all.
      element.style.overflowAnchor = "none";
      element.scrollTop += placeOf(first.current.element, element) - first.current.place;
      requestAnimationFrame(() => requestAnimationFrame(() => element.style.removeProperty("overflow-anchor")));
    }
    rememberFirst();
  }, [version]);

  useEffect(() => {
    const observer = new ResizeObserver(() => {
      if (pinned.current && scroller.current) scroller.current.scrollTop = scroller.current.scrollHeight;
      rememberFirst();
    });
    for (const element of [scroller.current, list.current]) if (element) observer.observe(element);
    return () => observer.disconnect();
  }, [rememberFirst]);

  return { scroller, list, isAtEnd, onScroll, toEnd, keepPlace };
}
