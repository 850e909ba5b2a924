/** Owns the frame of the chat: channels beside the conversation, or one of them where there is room for one. */
import type { CurrentSession } from "@keenchat/client";
import { useChannels, useEvents } from "@keenchat/client/react";
import { useCallback, useEffect, useMemo, useState } from "react";
import { Kept } from "../chat/kept.ts";
import { type Unread, useUnread } from "../chat/unread.ts";
import { useWire } from "../chat/wire.ts";
import { ChannelDialog } from "./channel-dialog.tsx";
import { ConnectionNotice } from "./connection.tsx";
import { Conversation } from "./conversation.tsx";
import { Mark } from "./icons.tsx";
import { useIsWide } from "./media.ts";
import { channelAddress, go, useRoute } from "./route.ts";
import { Sidebar } from "./sidebar.tsx";

function usePageTitle(title: string | undefined, unread: ReadonlyMap<number, Unread>): void {
  const count = [...unread.values()].reduce((sum, each) => sum + each.count, 0);
  useEffect(() => {
    document.title = [count > 0 && `(${count})`, title, title === undefined ? "Keenchat" : "· Keenchat"].filter(Boolean).join(" ");
  }, [count, title]);
}

/** Another version of this page is served. */
function Outdated() {
  const [shows, setShows] = useState(false);
  useEvents(({ event }) => event === "refresh page" && setShows(true));
  if (!shows) return null;
  return (
    <div className="toast" role="status">
      <p>A new version of this page is here. What you wrote is kept.</p>
      <button type="button" className="button primary" onClick={() => location.reload()}>
        Reload
      </button>
      <button type="button" className="button quiet" onClick={() => setShows(false)}>
        Later
      </button>
    </div>
  );
}

function Welcome({ onMake }: { onMake: () => void }) {
  return (
    <main className="blank">
      <Mark size={44} />
      <h1>No channels yet</h1>
      <p>A channel is a place for one subject. Create the first, and everybody who signs in will find it.</p>
      <button type="button" className="button primary" onClick={onMake}>
        Create a channel
      </button>
    </main>
  );
}

export function Shell({ self, onSignOut }: { self: CurrentSession; onSignOut: () => Promise<void> }) {
  const route = useRoute();
  const isWide = useIsWide();
  const kept = useMemo(() => new Kept(self.user_id), [self.user_id]);
  const { channels, status } = useChannels();
  const [unread, onSeen] = useUnread(self.user_id);
  const wire = useWire();
  const [making, setMaking] = useState(false);
  usePageTitle(channels.find(({ id }) => id === route)?.title, unread);

  const [goneId, setGoneId] = useState<number>();
  const onGone = useCallback((id: number) => {
    setGoneId(id);
    go(undefined, { replace: true });
  }, []);
  // The list may still contain a removed channel.
  const firstId = channels.find(({ id }) => id !== goneId)?.id;
  useEffect(() => {
    if (route !== undefined || !isWide) return;
    const id = kept.lastChannel ?? firstId;
    if (id !== undefined) go(id, { replace: true });
  }, [kept, firstId, route, isWide]);

  // Back to the list: to the channel one comes from.
  useEffect(() => {
    if (route === undefined && !isWide) document.querySelector<HTMLElement>(`a[href="${channelAddress(kept.lastChannel ?? 0)}"]`)?.focus();
  }, [route, isWide, kept]);

  return (
    <div className="shell" data-view={route === undefined ? "channels" : "conversation"}>
      {route !== undefined && (
        <button type="button" className="button skip" onClick={() => document.getElementById("composer")?.focus()}>
          Skip to the message box
        </button>
      )}
      <Sidebar self={self} unread={unread} openId={route} onMake={() => setMaking(true)} onSignOut={onSignOut} />
      {route !== undefined && (
        <Conversation
          key={route}
          id={route}
          self={self}
          kept={kept}
          unread={unread.get(route)}
          onSeen={onSeen}
          onGone={onGone}
          wire={wire}
        />
      )}
      {route === undefined && status === "loaded" && channels.length === 0 && <Welcome onMake={() => setMaking(true)} />}
      {route === undefined && (status !== "loaded" || channels.length > 0) && (
        <main className="blank" aria-busy={status === "loading"}>
          <ConnectionNotice />
        </main>
      )}
      <Outdated />
      {making && <ChannelDialog onClose={() => setMaking(false)} />}
    </div>
  );
}
