/** Owns where a list that grows at both ends stands: at its end it stays there, elsewhere what one reads stays put. */
import { type RefObject, useCallback, useEffect, useLayoutEffect, useRef, useState } from "react";

const endPx = 48;

export interface Scroll {
  readonly scroller: RefObject<HTMLDivElement | null>;
  readonly list: RefObject<HTMLOListElement | null>;
  readonly isAtEnd: boolean;
  readonly onScroll: () => void;
  readonly toEnd: () => void;
}

/** `firstId` is the first item's; `version` is another with each change of the items. */
export function useScroll(firstId: number | undefined, version: unknown): Scroll {
  const scroller = useRef<HTMLDivElement>(null);
  const list = useRef<HTMLOListElement>(null);
  const fromEnd = useRef(0);
  const pinned = useRef(true);
  const lastFirstId = useRef(firstId);
  const [isAtEnd, setIsAtEnd] = useState(true);

  const toEnd = useCallback(() => {
    pinned.current = true;
    setIsAtEnd(true);
    scroller.current?.scrollTo({ top: scroller.current.scrollHeight });
  }, []);

  const onScroll = useCallback(() => {
    const element = scroller.current;
    if (!element) return;
    fromEnd.current = element.scrollHeight - element.scrollTop;
    pinned.current = fromEnd.current - element.clientHeight < endPx;
    setIsAtEnd(pinned.current);
  }, []);

  // biome-ignore lint/correctness/useExhaustiveDependencies: runs with each change of the items.
  useLayoutEffect(() => {
    const element = scroller.current;
    if (!element) return;
    const isPrepended = firstId !== undefined && lastFirstId.current !== undefined && firstId < lastFirstId.current;
    lastFirstId.current = firstId;
    if (pinned.current) element.scrollTop = element.scrollHeight;
    // Not every browser holds the place by itself, and none does at the very top.
    else if (isPrepended) element.scrollTop = element.scrollHeight - fromEnd.current;
    fromEnd.current = element.scrollHeight - element.scrollTop;
  }, [version]);

  useEffect(() => {
    const observer = new ResizeObserver(() => {
      if (pinned.current && scroller.current) scroller.current.scrollTop = scroller.current.scrollHeight;
    });
    for (const element of [scroller.current, list.current]) if (element) observer.observe(element);
    return () => observer.disconnect();
  }, []);

  return { scroller, list, isAtEnd, onScroll, toEnd };
}
