/** Owns how hooks find their client, and the hooks that show the client itself: its connection, its session, its events. */
import {
  createContext,
  createElement,
  type ReactElement,
  type ReactNode,
  useContext,
  useEffect,
  useRef,
  useSyncExternalStore,
} from "react";
import type { KeenchatClient } from "./client.ts";
import type { Observable } from "./observable.ts";
import { outboxOf } from "./outbox.ts";
import type { PendingMessage, PendingStorage } from "./pending.ts";
import { type SessionState, sessionOf } from "./session.ts";
import type { ConnectionState } from "./socket.ts";
import { eventsOf } from "./store.ts";
import type { KeenchatEvent } from "./wire.ts";

const ClientContext = createContext<KeenchatClient | undefined>(undefined);

export interface KeenchatProviderProps {
  client: KeenchatClient;
  /** Where messages that were not sent yet outlive the page; missing: nowhere. `localPendingStorage()` keeps them in the browser. */
  pendingStorage?: PendingStorage;
  children?: ReactNode;
}

/** Gives the hooks below it their client. */
export function KeenchatProvider({ client, pendingStorage, children }: KeenchatProviderProps): ReactElement {
  if (pendingStorage) outboxOf(client).keepIn(pendingStorage);
  return createElement(ClientContext.Provider, { value: client }, children);
}

/** The client itself, for calls. */
export function useKeenchat(): KeenchatClient {
  const client = useContext(ClientContext);
  if (!client) throw new Error("There is no KeenchatProvider above this component.");
  return client;
}

function useObservable<Value>(observable: Observable<Value>): Value {
  const read = () => observable.current;
  return useSyncExternalStore(observable.subscribe, read, read);
}

/** How the connection is: show it, so that nobody takes old for new. */
export function useConnection(): ConnectionState {
  return useObservable(useKeenchat().connection);
}

/** The token of who is signed in; null: nobody. */
export function useToken(): string | null {
  return useObservable(useKeenchat().token);
}

/** Who is signed in. What signs in and out are the client's own calls. */
export function useSession(): SessionState {
  return useObservable(sessionOf(useKeenchat()));
}

/** The messages on their way to all channels, in the order they were written. */
export function usePending(): readonly PendingMessage[] {
  return useObservable(outboxOf(useKeenchat()).pending);
}

/** Hears everything that happens while the component is shown; see `KeenchatClient.events`. */
export function useEvents(listener: (event: KeenchatEvent) => void): void {
  const client = useKeenchat();
  const latest = useRef(listener);
  useEffect(() => {
    latest.current = listener;
  });
  useEffect(() => eventsOf(client).add({ onEvent: (event) => latest.current(event) }), [client]);
}
