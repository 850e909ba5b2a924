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
  /** Stores unsent messages across reloads, for example `localPendingStorage()`. Default: none. */
  pendingStorage?: PendingStorage;
  children?: ReactNode;
}

/** Provides the client to the hooks below it. */
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

/** The state of the connection. Show it, so that users do not take old data for current data. */
export function useConnection(): ConnectionState {
  return useObservable(useKeenchat().connection);
}

/** The token of the signed-in user, or null. */
export function useToken(): string | null {
  return useObservable(useKeenchat().token);
}

/** The signed-in user. To sign in and out, use the client's calls. */
export function useSession(): SessionState {
  return useObservable(sessionOf(useKeenchat()));
}

/** The pending messages of all channels, in the order of writing. */
export function usePending(): readonly PendingMessage[] {
  return useObservable(outboxOf(useKeenchat()).pending);
}

/** Calls the listener with every event while the component is shown; see `KeenchatClient.events`. */
export function useEvents(listener: (event: KeenchatEvent) => void): void {
  const client = useKeenchat();
  const latest = useRef(listener);
  useEffect(() => {
    latest.current = listener;
  });
  useEffect(() => eventsOf(client).add({ onEvent: (event) => latest.current(event) }), [client]);
}
