/** Owns the frame of the chat: channels beside the conversation, or one of them where there is room for one. */
import { useEffect, useState } from "react";
import { ChannelDialog } from "./channel-dialog.tsx";
import { useChat, useChatState } from "./chat-context.tsx";
import { ConnectionNotice } from "./connection.tsx";
import { Conversation } from "./conversation.tsx";
import { Mark } from "./icons.tsx";
import { useIsWide } from "./media.ts";
import { go, useRoute } from "./route.ts";
import { Sidebar } from "./sidebar.tsx";

function usePageTitle(title: string | undefined): void {
  const unread = useChatState((state) => state.unread);
  const count = [...unread.values()].reduce((sum, each) => sum + each.count, 0);
  useEffect(() => {
    document.title = [count > 0 && `(${count})`, title, title === undefined ? "Keenchat" : "· Keenchat"].filter(Boolean).join(" ");
  }, [count, title]);
}

function Outdated() {
  const [later, setLater] = useState(false);
  const outdated = useChatState((state) => state.outdated);
  if (!outdated || later) return null;
  return (
    <div className="toast" role="status">
      <p>A new version of this page is here. What you wrote is kept.</p>
      <button type="button" className="button primary" onClick={() => location.reload()}>
        Reload
      </button>
      <button type="button" className="button quiet" onClick={() => setLater(true)}>
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
      <p>A channel is a place for one subject. Make the first, and whoever signs in will find it.</p>
      <button type="button" className="button primary" onClick={onMake}>
        Make a channel
      </button>
    </main>
  );
}

export function Shell({ onSignOut }: { onSignOut: () => Promise<void> }) {
  const chat = useChat();
  const route = useRoute();
  const isWide = useIsWide();
  const channels = useChatState((state) => state.channels);
  const [making, setMaking] = useState(false);
  const open = route === undefined ? undefined : channels?.get(route);
  const isGone = channels !== undefined && route !== undefined && !open;
  usePageTitle(open?.title);

  useEffect(() => chat.open(open?.id), [chat, open?.id]);
  useEffect(() => {
    if (isGone) return go(undefined, { replace: true });
    if (channels === undefined || route !== undefined || !isWide) return;
    const last = chat.kept.lastChannel;
    const first = last !== undefined && channels.has(last) ? last : channels.keys().next().value;
    if (first !== undefined) go(first, { replace: true });
  }, [chat, channels, route, isWide, isGone]);

  return (
    <div className="shell" data-view={route === undefined ? "channels" : "conversation"}>
      {open && (
        <button type="button" className="button skip" onClick={() => document.getElementById("composer")?.focus()}>
          Skip to the message box
        </button>
      )}
      <Sidebar openId={open?.id} onMake={() => setMaking(true)} onSignOut={onSignOut} />
      {open && <Conversation key={open.id} channel={open} />}
      {!open && channels?.size === 0 && <Welcome onMake={() => setMaking(true)} />}
      {!open && channels?.size !== 0 && (
        <main className="blank" aria-busy={channels === undefined}>
          <ConnectionNotice />
        </main>
      )}
      <Outdated />
      {making && <ChannelDialog onClose={() => setMaking(false)} />}
    </div>
  );
}
