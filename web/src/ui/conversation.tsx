/** Owns one channel on the page: its head, its messages, who is in it, and what one writes into it. */
import type { CurrentSession, Message } from "@keenchat/client";
import { type PendingMessage, useChannel, useKeenchat, useMessages, usePresence, useTyping } from "@keenchat/client/react";
import { useCallback, useEffect, useState } from "react";
import type { Kept } from "../chat/kept.ts";
import type { Unread } from "../chat/unread.ts";
import type { Wire } from "../chat/wire.ts";
import { ChannelDialog, RemoveChannelDialog } from "./channel-dialog.tsx";
import { Composer } from "./composer.tsx";
import { ConnectionBadge, ConnectionDrawer, ConnectionNotice } from "./connection.tsx";
import { Dialog } from "./dialog.tsx";
import { Back, Gear } from "./icons.tsx";
import { People, PeopleButton } from "./people.tsx";
import { go } from "./route.ts";
import { Timeline } from "./timeline.tsx";
import { TypingLine } from "./typing-line.tsx";

type Asked = { settings: true } | { remove: true } | { message: Message } | undefined;

function useDraft(kept: Kept, channelId: number) {
  const [draft, setDraft] = useState(() => kept.draft(channelId));
  const change = useCallback(
    (next: string | ((draft: string) => string)) =>
      setDraft((before) => {
        const text = typeof next === "string" ? next : next(before);
        kept.setDraft(channelId, text);
        return text;
      }),
    [kept, channelId],
  );
  return [draft, change] as const;
}

function focusComposer(): void {
  document.getElementById("composer")?.focus();
}

interface ConversationProps {
  id: number;
  self: CurrentSession;
  kept: Kept;
  unread: Unread | undefined;
  onSeen: (channelId: number) => void;
  onGone: (channelId: number) => void;
  wire: Wire;
}

export function Conversation({ id, self, kept, unread, onSeen, onGone, wire }: ConversationProps) {
  const client = useKeenchat();
  const { channel, status } = useChannel(id);
  const messages = useMessages(id);
  const here = usePresence(id);
  const typing = useTyping(id);
  const [draft, setDraft] = useDraft(kept, id);
  const [newFrom, setNewFrom] = useState(unread?.first);
  const [editingId, setEditingId] = useState<number>();
  const [asked, setAsked] = useState<Asked>();

  useEffect(() => {
    if (status !== "failed") kept.lastChannel = status === "gone" ? undefined : id;
    if (status === "gone") onGone(id);
  }, [status, kept, id, onGone]);

  const { discard } = messages;
  const takeBack = useCallback(
    ({ client_message_id, message_text }: PendingMessage) => {
      discard(client_message_id);
      setDraft((before) => (before.trim() === "" ? message_text : `${before}\n${message_text}`));
      focusComposer();
    },
    [discard, setDraft],
  );
  const stopEditing = useCallback(() => {
    setEditingId(undefined);
    focusComposer();
  }, []);
  const askDelete = useCallback((message: Message) => setAsked({ message }), []);
  const close = () => setAsked(undefined);

  if (!channel) {
    return (
      <main className="blank" aria-busy={status === "loading"}>
        <ConnectionNotice />
        {status === "failed" && <p role="alert">This channel could not be read. This page keeps trying.</p>}
      </main>
    );
  }
  const isMine = self.admin || channel.user_id === self.user_id;
  return (
    <main className="conversation" aria-label={channel.title}>
      <header className="head">
        <button type="button" className="icon-button back" aria-label="All channels" onClick={() => go(undefined)}>
          <Back />
        </button>
        <div className="head-title">
          <h1 id="title" dir="auto" tabIndex={-1}>
            {channel.title}
          </h1>
          {channel.description !== "" && (
            <p dir="auto" title={channel.description}>
              {channel.description}
            </p>
          )}
        </div>
        <ConnectionBadge />
        {isMine && (
          <button
            type="button"
            className="icon-button"
            aria-label="Channel settings"
            title="Channel settings"
            onClick={() => setAsked({ settings: true })}
          >
            <Gear />
          </button>
        )}
        <PeopleButton count={here.length} />
      </header>
      <div className="stage">
        <ConnectionNotice />
        <Timeline
          channel={channel}
          self={self}
          messages={messages}
          unread={unread?.count ?? 0}
          onSeen={onSeen}
          newFrom={newFrom}
          editingId={editingId}
          onEdit={setEditingId}
          onEditEnd={stopEditing}
          onDelete={askDelete}
          onTakeBack={takeBack}
        />
      </div>
      <People here={here} selfId={self.user_id} />
      <footer className="foot">
        <Composer
          channel={channel}
          typing={typing}
          draft={draft}
          onDraft={setDraft}
          onSend={(text) => {
            setNewFrom(undefined);
            messages.post(text);
          }}
          onEditLast={() => setEditingId(messages.messages.findLast(({ user_id }) => user_id === self.user_id)?.id)}
        />
        <TypingLine users={typing.users.filter((user) => user !== self.user_id)} />
      </footer>
      <ConnectionDrawer wire={wire} />
      {asked && "settings" in asked && <ChannelDialog channel={channel} onRemove={() => setAsked({ remove: true })} onClose={close} />}
      {asked && "remove" in asked && <RemoveChannelDialog channel={channel} onClose={close} />}
      {asked && "message" in asked && (
        <Dialog
          title="Delete this message?"
          action="Delete"
          danger
          onAction={() => client.message.delete({ id: asked.message.id })}
          onClose={close}
        >
          {() => (
            <blockquote className="quoted" dir="auto">
              {asked.message.message_text}
            </blockquote>
          )}
        </Dialog>
      )}
    </main>
  );
}
