/** The package's entry for React: hooks that show what is, keep it up to date, and share one connection. */
import {
  createContext,
  createElement,
  type ReactElement,
  type ReactNode,
  useContext,
  useEffect,
  useMemo,
  useState,
  useSyncExternalStore,
} from "react";
import type { KeenchatClient } from "./client.ts";
import { type MessagesState, MessagesStore } from "./messages-store.ts";
import { type ChannelState, ChannelStore, type ChannelsState, ChannelsStore, type UserState, UserStore } from "./noun-stores.ts";
import type { ConnectionState } from "./socket.ts";
import { eventsOf, storeOf } from "./store.ts";

export type { MessagesState, PendingMessage } from "./messages-store.ts";
export type { ChannelState, ChannelsState, UserState } from "./noun-stores.ts";
export type { Status, StoreState } from "./store.ts";

const ClientContext = createContext<KeenchatClient | undefined>(undefined);

/** Gives the hooks below it their client. */
export function KeenchatProvider({ client, children }: { client: KeenchatClient; children?: ReactNode }): ReactElement {
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

export interface Messages extends MessagesState {
  /** Shows a message at once, in `pending`, and sends it after those before it. */
  post(messageText: string): void;
  /** Sends a pending message with an error again; by itself this happens only once the server is there again. */
  retry(clientMessageId: string): void;
  /** Gives up a pending message with an error. */
  discard(clientMessageId: string): void;
  /** Reads the newest page again, after a failure. */
  reload(): void;
  /** Reads the page before the first message; does nothing where there is none or it is being read. */
  loadOlder(): Promise<void>;
}

/** The messages of a channel: the newest 50, older ones on demand, changes as they happen. */
export function useMessages(channelId: number): Messages {
  const client = useKeenchat();
  const key = `messages ${channelId}`;
  const store = storeOf(client, key, () => new MessagesStore(client, key, channelId));
  const state = useSyncExternalStore(store.subscribe, store.getSnapshot, store.getSnapshot);
  return useMemo(() => {
    const { post, retry, discard, reload, loadOlder } = store;
    return { ...state, post, retry, discard, reload, loadOlder };
  }, [state, store]);
}

/** All channels. */
export function useChannels(): ChannelsState {
  const client = useKeenchat();
  const store = storeOf(client, "channels", () => new ChannelsStore(client, "channels"));
  return useSyncExternalStore(store.subscribe, store.getSnapshot, store.getSnapshot);
}

/** One channel; `gone` when it is removed. */
export function useChannel(channelId: number): ChannelState {
  const client = useKeenchat();
  const key = `channel ${channelId}`;
  const store = storeOf(client, key, () => new ChannelStore(client, key, channelId));
  return useSyncExternalStore(store.subscribe, store.getSnapshot, store.getSnapshot);
}

/** One user, for the name beside a message. */
export function useUser(userId: number): UserState {
  const client = useKeenchat();
  const key = `user ${userId}`;
  const store = storeOf(client, key, () => new UserStore(client, key, userId));
  return useSyncExternalStore(store.subscribe, store.getSnapshot, store.getSnapshot);
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
  useEffect(() => {
    const stop = eventsOf(client).add({
      onEvent({ event, data }) {
        if ((event !== "start typing" && event !== "stop typing") || data.channel_id !== channelId) return;
        change((now) => now.filter((id) => id !== data.user_id).concat(event === "start typing" ? data.user_id : []));
      },
      onRefusal: () => change(() => none),
    });
    // Typing is not replayed: what was known before a loss is worth nothing after it.
    const stopWatching = client.connection.subscribe((state) => state !== "live" && change(() => none));
    return () => {
      stop();
      stopWatching();
      change(() => none);
    };
  }, [client, channelId, change]);
  const typing = useMemo(() => client.typing(channelId), [client, channelId]);
  return useMemo(() => ({ users, start: typing.start, stop: typing.stop }), [users, typing]);
}
