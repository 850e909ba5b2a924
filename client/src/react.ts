"use client";
/** The package's entry for React: hooks that keep their data up to date and share one connection. */
import { useEffect, useMemo, useSyncExternalStore } from "react";
import type { KeenchatClient } from "./client.ts";
import { type MessagesState, MessagesStore } from "./messages-store.ts";
import { type ChannelState, ChannelStore, type ChannelsState, ChannelsStore, type UserState, UserStore } from "./noun-stores.ts";
import { outboxOf } from "./outbox.ts";
import type { PendingMessage } from "./pending.ts";
import { useKeenchat, usePending } from "./provider.ts";
import { type Store, type StoreState, sharedOf } from "./store.ts";

export type { MessagesState } from "./messages-store.ts";
export type { ChannelState, ChannelsState, UserState } from "./noun-stores.ts";
export { localPendingStorage, type PendingMessage, type PendingStorage } from "./pending.ts";
export { type TypingInChannel, usePresence, useTyping } from "./presence-hooks.ts";
export {
  KeenchatProvider,
  type KeenchatProviderProps,
  useConnection,
  useEvents,
  useKeenchat,
  usePending,
  useSession,
  useToken,
} from "./provider.ts";
export type { SessionState } from "./session.ts";
export type { Status, StoreState } from "./store.ts";

/** The shared store of this key, and its state. */
function useStore<State extends StoreState, Kept extends Store<State>>(
  key: string,
  create: (client: KeenchatClient, key: string) => Kept & Store<State>,
): [State, Kept] {
  const client = useKeenchat();
  const store = sharedOf(client, key, () => create(client, key));
  return [useSyncExternalStore(store.subscribe, store.getSnapshot, store.getSnapshot), store];
}

export interface Messages extends MessagesState {
  /** The pending messages, in the order of writing. */
  readonly pending: readonly PendingMessage[];
  /** Shows a message at once, in `pending`, and sends it after the earlier ones. */
  post(messageText: string): void;
  /** Sends a pending message with an error again. */
  retry(clientMessageId: string): void;
  /** Discards a pending message. */
  discard(clientMessageId: string): void;
  /** Reads the newest page again, after a failure. */
  reload(): void;
  /** Reads the page before the first message; does nothing if there is none or a read is under way. */
  loadOlder(): Promise<void>;
  /** Forgets messages far above, so that a page that is open for weeks stays small. Call it while the reader is at the end. */
  trim(): void;
}

/** The messages of a channel: the newest 50, older ones on demand, always up to date. */
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

/** All channels. */
export function useChannels(): ChannelsState {
  return useStore("channels", (client, key) => new ChannelsStore(client, key))[0];
}

/** One channel; `gone` when it is removed. */
export function useChannel(channelId: number): ChannelState {
  return useStore(`channel ${channelId}`, (client, key) => new ChannelStore(client, key, channelId))[0];
}

/** One user, for example to show the name of a message's author. */
export function useUser(userId: number): UserState {
  return useStore(`user ${userId}`, (client, key) => new UserStore(client, key, userId))[0];
}
