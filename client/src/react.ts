/** The package's entry for React: hooks that show what is, keep it up to date, and share one connection. */
import {
  createContext,
  createElement,
  type ReactElement,
  type ReactNode,
  useContext,
  useEffect,
  useMemo,
  useRef,
  useState,
  useSyncExternalStore,
} from "react";
import type { KeenchatClient } from "./client.ts";
import { type MessagesState, MessagesStore } from "./messages-store.ts";
import { type ChannelState, ChannelStore, type ChannelsState, ChannelsStore, type UserState, UserStore } from "./noun-stores.ts";
import { outboxOf } from "./outbox.ts";
import type { PendingMessage, PendingStorage } from "./pending.ts";
import { type SessionState, sessionOf } from "./session.ts";
import type { ConnectionState } from "./socket.ts";
import { eventsOf, type Store, type StoreState, sharedOf } from "./store.ts";
import type { KeenchatEvent } from "./wire.ts";

export type { MessagesState } from "./messages-store.ts";
export type { ChannelState, ChannelsState, UserState } from "./noun-stores.ts";
export { localPendingStorage, type PendingMessage, type PendingStorage } from "./pending.ts";
export type { SessionState } from "./session.ts";
export type { Status, StoreState } from "./store.ts";

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

/** How the connection is: show it, so that nobody takes old for new. */
export function useConnection(): ConnectionState {
  const { connection } = useKeenchat();
  return useSyncExternalStore(connection.subscribe, () => connection.current);
}

/** The token of who is signed in; null: nobody. */
export function useToken(): string | null {
  const { token } = useKeenchat();
  return useSyncExternalStore(
    token.subscribe,
    () => token.current,
    () => null,
  );
}

/** Who is signed in. What signs in and out are the client's own calls. */
export function useSession(): SessionState {
  const session = sessionOf(useKeenchat());
  return useSyncExternalStore(
    session.subscribe,
    () => session.current,
    () => session.current,
  );
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

/** The one store of this key, and what is in it. */
function useStore<State extends StoreState, Kept extends Store<State>>(
  key: string,
  create: (client: KeenchatClient, key: string) => Kept & Store<State>,
): [State, Kept] {
  const client = useKeenchat();
  const store = sharedOf(client, key, () => create(client, key));
  return [useSyncExternalStore(store.subscribe, store.getSnapshot, store.getSnapshot), store];
}

export interface Messages extends MessagesState {
  /** Those on their way, in the order they were written. */
  readonly pending: readonly PendingMessage[];
  /** Shows a message at once, in `pending`, and sends it after those before it. */
  post(messageText: string): void;
  /** Sends a pending message with an error again. */
  retry(clientMessageId: string): void;
  /** Gives up a pending message. */
  discard(clientMessageId: string): void;
  /** Reads the newest page again, after a failure. */
  reload(): void;
  /** Reads the page before the first message; does nothing where there is none or it is being read. */
  loadOlder(): Promise<void>;
  /** Lets go of what is far above, so that a page which is open for weeks stays light. For a reader at the end. */
  trim(): void;
}

/** The messages of a channel: the newest 50, older ones on demand, changes as they happen. */
export function useMessages(channelId: number): Messages {
  const [state, store] = useStore(`messages ${channelId}`, (client, key) => new MessagesStore(client, key, channelId));
  const outbox = outboxOf(useKeenchat());
  const all = usePending();
  useEffect(() => outbox.onPosted(store.receive), [outbox, store]);
  return useMemo(() => {
    const { reload, loadOlder, trim } = store;
    const { retry, drop } = outbox;
    const there = new Set(state.messages.map(({ client_message_id }) => client_message_id));
    const pending = all.filter((message) => message.channel_id === channelId && !there.has(message.client_message_id));
    const post = (messageText: string) => outbox.add(channelId, messageText);
    return { ...state, pending, post, retry, discard: drop, reload, loadOlder, trim };
  }, [state, all, channelId, outbox, store]);
}

/** The messages on their way to all channels, in the order they were written. */
export function usePending(): readonly PendingMessage[] {
  const { pending } = outboxOf(useKeenchat());
  return useSyncExternalStore(
    pending.subscribe,
    () => pending.current,
    () => pending.current,
  );
}

/** All channels. */
export function useChannels(): ChannelsState {
  return useStore("channels", (client, key) => new ChannelsStore(client, key))[0];
}

/** One channel; `gone` when it is removed. */
export function useChannel(channelId: number): ChannelState {
  return useStore(`channel ${channelId}`, (client, key) => new ChannelStore(client, key, channelId))[0];
}

/** One user, for the name beside a message. */
export function useUser(userId: number): UserState {
  return useStore(`user ${userId}`, (client, key) => new UserStore(client, key, userId))[0];
}

/** State that belongs to a channel: of another channel it is nothing. */
function useOfChannel(channelId: number): [readonly number[], (change: (users: readonly number[]) => readonly number[]) => void] {
  const [state, setState] = useState<{ channelId: number; users: readonly number[] }>({ channelId, users: none });
  const change = useMemo(
    () => (change: (users: readonly number[]) => readonly number[]) =>
      setState((before) => ({ channelId, users: change(before.channelId === channelId ? before.users : none) })),
    [channelId],
  );
  return [state.channelId === channelId ? state.users : none, change];
}
const none: readonly number[] = [];

/** Is in a channel while the component is shown; the ids of all users in it, ascending. Needs somebody signed in: otherwise empty. */
export function usePresence(channelId: number): readonly number[] {
  const client = useKeenchat();
  const token = useToken();
  const [users, change] = useOfChannel(channelId);
  useEffect(() => {
    if (token === null) return;
    const stop = client.presence(channelId).subscribe(
      (now) => change(() => now.users),
      () => change(() => none),
    );
    return () => {
      stop();
      change(() => none);
    };
  }, [client, channelId, token, change]);
  return users;
}

export interface TypingInChannel {
  /** Ids of the users who type, first come first; the caller's own is among them. */
  readonly users: readonly number[];
  /** Call it at every keystroke. */
  start(): void;
  /** Call it when the input was emptied or left. */
  stop(): void;
}

/** Who types in a channel, and the way to say that the user does. */
export function useTyping(channelId: number): TypingInChannel {
  const client = useKeenchat();
  const [users, change] = useOfChannel(channelId);
  useEvents(({ event, data }) => {
    if ((event !== "start typing" && event !== "stop typing") || data.channel_id !== channelId) return;
    change((now) => now.filter((id) => id !== data.user_id).concat(event === "start typing" ? data.user_id : []));
  });
  // Typing is not replayed: what was known before a loss is worth nothing after it.
  useEffect(() => {
    const stop = client.connection.subscribe((state) => state !== "live" && change(() => none));
    return () => {
      stop();
      change(() => none);
    };
  }, [client, change]);
  const typing = useMemo(() => client.typing(channelId), [client, channelId]);
  useEffect(() => typing.stop, [typing]);
  return useMemo(() => ({ users, start: typing.start, stop: typing.stop }), [users, typing]);
}
