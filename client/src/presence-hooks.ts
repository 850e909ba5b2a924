/** Owns the hooks for presence and typing in a channel. */
import { useEffect, useMemo, useState } from "react";
import { useEvents, useKeenchat, useToken } from "./provider.ts";

/** State of one channel, which is reset when the channel changes. */
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

/** The user is in a channel while the component is shown. Returns the ids of all users in it, ascending; empty without a signed-in user. */
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
  /** Ids of the users who are typing, in the order in which they began, including the signed-in user. */
  readonly users: readonly number[];
  /** Call it at every keystroke. */
  start(): void;
  /** Call it when the input is empty or loses focus. */
  stop(): void;
}

/** The users who are typing in a channel, and functions to announce that the user is typing. */
export function useTyping(channelId: number): TypingInChannel {
  const client = useKeenchat();
  const [users, change] = useOfChannel(channelId);
  useEvents(({ event, data }) => {
    if ((event !== "start typing" && event !== "stop typing") || data.channel_id !== channelId) return;
    change((now) => now.filter((id) => id !== data.user_id).concat(event === "start typing" ? data.user_id : []));
  });
  // Typing is not replayed, so its state is invalid after a lost connection.
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
