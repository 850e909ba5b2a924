/** Owns one channel on the page: its head, its messages, who is in it, and what one writes into it. */
import type { Channel, Message } from "@keenchat/client";
import { useCallback, useState } from "react";
import { ChannelDialog, RemoveChannelDialog } from "./channel-dialog.tsx";
import { useChat, useChatState } from "./chat-context.tsx";
import { Composer } from "./composer.tsx";
import { ConnectionBadge, ConnectionDrawer, ConnectionNotice } from "./connection.tsx";
import { Dialog } from "./dialog.tsx";
import { Back, Gear, People as PeopleIcon } from "./icons.tsx";
import { People } from "./people.tsx";
import { go } from "./route.ts";
import { Timeline } from "./timeline.tsx";
import { TypingLine } from "./typing-line.tsx";

type Asked = { settings: true } | { remove: true } | { message: Message } | undefined;

function useDraft(channelId: number) {
  const chat = useChat();
  const [draft, setDraft] = useState(() => chat.kept.draft(channelId));
  const change = useCallback(
    (next: string | ((draft: string) => string)) =>
      setDraft((before) => {
        const text = typeof next === "string" ? next : next(before);
        chat.kept.setDraft(channelId, text);
        return text;
      }),
    [chat, channelId],
  );
  return [draft, change] as const;
}

export function Conversation({ channel }: { channel: Channel }) {
  const chat = useChat();
  const self = useChatState((state) => state.self);
  const hereCount = useChatState((state) => state.here.length);
  const [draft, setDraft] = useDraft(channel.id);
  const [editingId, setEditingId] = useState<number>();
  const [asked, setAsked] = useState<Asked>();
  const [showsPeople, setShowsPeople] = useState(false);
  const [showsDrawer, setShowsDrawer] = useState(false);
  const close = () => setAsked(undefined);
  const isMine = self.admin || channel.user_id === self.user_id;

  const takeBack = useCallback(
    (key: string, text: string) => {
      chat.outbox.drop(key);
      setDraft((before) => (before.trim() === "" ? text : `${before}\n${text}`));
      document.getElementById("composer")?.focus();
    },
    [chat, setDraft],
  );
  const stopEditing = useCallback(() => {
    setEditingId(undefined);
    document.getElementById("composer")?.focus();
  }, []);
  const askDelete = useCallback((message: Message) => setAsked({ message }), []);

  function editLast() {
    const messages = chat.store.get().timelines.get(channel.id)?.messages ?? [];
    setEditingId(messages.findLast(({ user_id }) => user_id === self.user_id)?.id);
  }

  return (
    <main className="conversation" data-people={showsPeople || undefined} aria-label={channel.title}>
      <header className="head">
        <button type="button" className="icon-button back" aria-label="All channels" onClick={() => go(undefined)}>
          <Back />
        </button>
        <div className="head-title">
          <h1 dir="auto">{channel.title}</h1>
          {channel.description !== "" && (
            <p dir="auto" title={channel.description}>
              {channel.description}
            </p>
          )}
        </div>
        <ConnectionBadge isOpen={showsDrawer} onToggle={() => setShowsDrawer((shows) => !shows)} />
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
        <button
          type="button"
          className="icon-button people-button"
          aria-expanded={showsPeople}
          aria-controls="people"
          aria-label={`People here: ${hereCount}`}
          title="Who is here"
          onClick={() => setShowsPeople((shows) => !shows)}
        >
          <PeopleIcon />
          <span>{hereCount}</span>
        </button>
      </header>
      <div className="stage">
        <ConnectionNotice />
        <Timeline
          channel={channel}
          editingId={editingId}
          onEdit={setEditingId}
          onEditEnd={stopEditing}
          onDelete={askDelete}
          onTakeBack={takeBack}
        />
      </div>
      <People />
      <footer className="foot">
        <Composer channel={channel} draft={draft} onDraft={setDraft} onEditLast={editLast} />
        <TypingLine channelId={channel.id} />
      </footer>
      {showsDrawer && <ConnectionDrawer onClose={() => setShowsDrawer(false)} />}
      {asked && "settings" in asked && <ChannelDialog channel={channel} onRemove={() => setAsked({ remove: true })} onClose={close} />}
      {asked && "remove" in asked && <RemoveChannelDialog channel={channel} onClose={close} />}
      {asked && "message" in asked && (
        <Dialog title="Delete this message?" action="Delete" danger onAction={() => chat.deleteMessage(asked.message)} onClose={close}>
          <blockquote className="quoted" dir="auto">
            {asked.message.message_text}
          </blockquote>
        </Dialog>
      )}
    </main>
  );
}
