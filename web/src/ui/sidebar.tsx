/** Owns the list of channels, what is unread in them, and who one is. */
import type { CurrentSession } from "@keenchat/client";
import { useChannels, usePending } from "@keenchat/client/react";
import { useState } from "react";
import type { Unread } from "../chat/unread.ts";
import { sayError } from "../chat/words.ts";
import { Avatar } from "./avatar.tsx";
import { Dialog } from "./dialog.tsx";
import { Mark, Out, Plus } from "./icons.tsx";
import { channelAddress } from "./route.ts";

function ChannelLink({ id, title, count, isOpen }: { id: number; title: string; count: number; isOpen: boolean }) {
  const isRefused = usePending().some(({ channel_id, error }) => channel_id === id && error && !error.transient);
  return (
    <li>
      <a className="channel" href={channelAddress(id)} aria-current={isOpen ? "page" : undefined} data-unread={count > 0 || undefined}>
        <bdi className="channel-title">{title}</bdi>
        {isRefused && <span className="channel-note">not sent</span>}
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

/** No data of a user stays in the browser; if an unsent message would be lost, the user is asked first. */
function SignOutDialog({ count, onSignOut, onClose }: { count: number; onSignOut: () => Promise<void>; onClose: () => void }) {
  return (
    <Dialog title="Sign out?" action="Sign out" danger onAction={onSignOut} onClose={onClose}>
      {() => (
        <p>
          {count === 1
            ? "A message of yours is not sent yet, and will be lost."
            : `${count} messages of yours are not sent yet, and will be lost.`}
        </p>
      )}
    </Dialog>
  );
}

function Me({ self, onSignOut }: Pick<SidebarProps, "self" | "onSignOut">) {
  const [problem, setProblem] = useState<string>();
  const [asks, setAsks] = useState(false);
  const unsent = usePending().length;
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
        onClick={() => (unsent > 0 ? setAsks(true) : onSignOut().catch((error: unknown) => setProblem(sayError(error))))}
      >
        <Out />
      </button>
      {asks && <SignOutDialog count={unsent} onSignOut={onSignOut} onClose={() => setAsks(false)} />}
    </div>
  );
}

interface SidebarProps {
  self: CurrentSession;
  unread: ReadonlyMap<number, Unread>;
  openId: number | undefined;
  onMake: () => void;
  onSignOut: () => Promise<void>;
}

export function Sidebar({ self, unread, openId, onMake, onSignOut }: SidebarProps) {
  const { channels } = useChannels();
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
        {channels.map(({ id, title }) => (
          <ChannelLink key={id} id={id} title={title} count={unread.get(id)?.count ?? 0} isOpen={id === openId} />
        ))}
      </ul>
      <Me self={self} onSignOut={onSignOut} />
    </nav>
  );
}
