/** Owns the list of channels, what is unread in them, and who one is. */
import { useState } from "react";
import { sayError } from "../chat/words.ts";
import { Avatar } from "./avatar.tsx";
import { useChatState } from "./chat-context.tsx";
import { Mark, Out, Plus } from "./icons.tsx";
import { channelAddress } from "./route.ts";

function ChannelLink({ id, title, isOpen }: { id: number; title: string; isOpen: boolean }) {
  const count = useChatState((state) => state.unread.get(id)?.count ?? 0);
  const hasDraft = useChatState((state) => state.outbox.some((item) => item.channelId === id && item.state === "refused"));
  return (
    <li>
      <a className="channel" href={channelAddress(id)} aria-current={isOpen ? "page" : undefined} data-unread={count > 0 || undefined}>
        <bdi className="channel-title">{title}</bdi>
        {hasDraft && <span className="channel-note">not sent</span>}
        {count > 0 && (
          <span className="count">
            {count > 99 ? "99+" : count}
            <span className="sr"> unread</span>
          </span>
        )}
      </a>
    </li>
  );
}

function Me({ onSignOut }: { onSignOut: () => Promise<void> }) {
  const self = useChatState((state) => state.self);
  const [problem, setProblem] = useState<string>();
  return (
    <div className="me">
      <Avatar id={self.user_id} name={self.username} />
      <div className="me-name">
        <b>{self.username}</b>
        {problem === undefined ? self.admin && <span>Admin</span> : <span role="alert">{problem}</span>}
      </div>
      <button
        type="button"
        className="icon-button"
        aria-label="Sign out"
        title="Sign out"
        onClick={() => onSignOut().catch((error: unknown) => setProblem(sayError(error)))}
      >
        <Out />
      </button>
    </div>
  );
}

interface SidebarProps {
  openId: number | undefined;
  onMake: () => void;
  onSignOut: () => Promise<void>;
}

export function Sidebar({ openId, onMake, onSignOut }: SidebarProps) {
  const channels = useChatState((state) => state.channels);
  return (
    <nav className="sidebar" aria-label="Channels">
      <div className="brand">
        <Mark />
        <span>Keenchat</span>
      </div>
      <div className="channels-head">
        <h2>Channels</h2>
        <button type="button" className="icon-button" aria-label="New channel" title="New channel" onClick={onMake}>
          <Plus />
        </button>
      </div>
      <ul className="channels">
        {[...(channels?.values() ?? [])].map(({ id, title }) => (
          <ChannelLink key={id} id={id} title={title} isOpen={id === openId} />
        ))}
      </ul>
      <Me onSignOut={onSignOut} />
    </nav>
  );
}
