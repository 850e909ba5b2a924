/** Owns the figures of the connection drawer: the page's position in the log, and the number of missed events. */
import { useEvents, useKeenchat } from "@keenchat/client/react";
import { useEffect, useRef, useState } from "react";

export interface Wire {
  readonly cursor: string | undefined;
  /** Missed events that arrived after the last loss. */
  readonly replayed: number;
  readonly connections: number;
}

export function useWire(): Wire {
  const { connection } = useKeenchat();
  const [wire, setWire] = useState<Wire>({ cursor: undefined, replayed: 0, connections: 0 });
  /** Events since the connection was lost; undefined: it was not. */
  const late = useRef<number | undefined>(0);
  useEffect(
    () =>
      connection.subscribe((state) => {
        if (state === "connecting" || state === "offline") late.current ??= 0;
      }),
    [connection],
  );
  useEvents(({ event, data, id }) => {
    if (event === "ready" || event === "resync") {
      const { current: replayed } = late;
      late.current = undefined;
      setWire(({ connections, ...before }) => ({
        cursor: data.cursor,
        replayed: replayed ?? before.replayed,
        connections: connections + (replayed === undefined ? 0 : 1),
      }));
      return;
    }
    if (late.current !== undefined) late.current += 1;
    if (id !== undefined) setWire((before) => ({ ...before, cursor: id }));
  });
  return wire;
}
