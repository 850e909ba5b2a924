/** Owns the messages of the open channel on the page: reading upwards without jumps, following at the end. */
import type { Channel, Message } from "@keenchat/client";
import { useEffect, useMemo, useRef, useState } from "react";
import { emptyTimeline } from "../chat/timeline.ts";
import { useChat, useChatState } from "./chat-context.tsx";
import { Down } from "./icons.tsx";
import { useIsVisible } from "./media.ts";
import { OutgoingRow, Row } from "./row.tsx";
import { continues, toRows } from "./rows.ts";
import { useScroll } from "./scroll.ts";
import { dayOf } from "./times.ts";

interface TimelineProps {
  channel: Channel;
  editingId: number | undefined;
  onEdit: (id: number) => void;
  onEditEnd: () => void;
  onDelete: (message: Message) => void;
  onTakeBack: (key: string, text: string) => void;
}

/** Asks for older messages well before the reader is there. */
const aheadPx = 1_500;

function Older({ channelId, firstId }: { channelId: number; firstId: number | undefined }) {
  const chat = useChat();
  const sentinel = useRef<HTMLDivElement>(null);
  const [failed, setFailed] = useState(false);
  // biome-ignore lint/correctness/useExhaustiveDependencies: looked at anew after each page.
  useEffect(() => {
    if (!sentinel.current || failed) return;
    const observer = new IntersectionObserver(
      (entries) => entries.at(-1)?.isIntersecting && chat.loadOlder(channelId).catch(() => setFailed(true)),
      { root: sentinel.current.closest(".scroller"), rootMargin: `${aheadPx}px 0px 0px 0px` },
    );
    observer.observe(sentinel.current);
    return () => observer.disconnect();
  }, [chat, channelId, firstId, failed]);
  return (
    <div className="older" ref={sentinel}>
      {failed ? (
        <button type="button" className="button small" onClick={() => setFailed(false)}>
          Older messages could not be read. Try again
        </button>
      ) : (
        <span>Reading older messages…</span>
      )}
    </div>
  );
}

function Beginning({ channel, isEmpty }: { channel: Channel; isEmpty: boolean }) {
  return (
    <div className="beginning">
      <h2 dir="auto">{channel.title}</h2>
      {channel.description !== "" && <p dir="auto">{channel.description}</p>}
      <p className="beginning-hint">
        {isEmpty ? "Nobody has written here yet. The first word is yours." : "This is where the channel begins."}
      </p>
    </div>
  );
}

/** Tells a screen reader what arrives, and nothing of what was there before. */
function Announcer({ newest, name }: { newest: Message | undefined; name: string | undefined }) {
  const since = useRef(newest?.id);
  const isNews = newest !== undefined && since.current !== undefined && newest.id > since.current;
  useEffect(() => {
    since.current ??= newest?.id ?? 0;
  }, [newest]);
  return (
    <p className="sr" role="status">
      {isNews && `${name ?? ""}: ${newest.message_text}`}
    </p>
  );
}

export function Timeline({ channel, editingId, onEdit, onEditEnd, onDelete, onTakeBack }: TimelineProps) {
  const chat = useChat();
  const { id } = channel;
  const { messages, hasOlder, state } = useChatState((all) => all.timelines.get(id)) ?? emptyTimeline;
  const outbox = useChatState((all) => all.outbox);
  const users = useChatState((all) => all.users);
  const self = useChatState((all) => all.self);
  const newFrom = useChatState((all) => all.newFrom);
  const unread = useChatState((all) => all.unread.get(id)?.count ?? 0);
  const isVisible = useIsVisible();
  const rows = useMemo(() => toRows(messages, newFrom), [messages, newFrom]);
  const outgoing = useMemo(() => outbox.filter((item) => item.channelId === id), [outbox, id]);
  const firstId = messages[0]?.id;
  const version = useMemo(() => ({ rows, outgoing, state }), [rows, outgoing, state]);
  const { scroller, list, isAtEnd, onScroll, toEnd } = useScroll(firstId, version);
  const today = dayOf(Date.now());
  const newest = messages.at(-1);

  useEffect(() => {
    if (isAtEnd && isVisible && unread > 0) chat.see(id);
    if (isAtEnd) chat.trim(id);
  }, [chat, id, isAtEnd, isVisible, unread]);

  const ownCount = outgoing.length;
  // What one sends is what one wants to see.
  useEffect(() => {
    if (ownCount > 0) toEnd();
  }, [ownCount, toEnd]);

  return (
    <>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard. */}
      <section className="scroller" ref={scroller} onScroll={onScroll} tabIndex={0} aria-label="Messages" aria-busy={state === "loading"}>
        <div className="scroller-fill" />
        {state === "ready" && hasOlder && <Older channelId={id} firstId={firstId} />}
        {state === "ready" && !hasOlder && <Beginning channel={channel} isEmpty={messages.length === 0 && ownCount === 0} />}
        {state === "failed" && (
          <div className="older">
            <button type="button" className="button small" onClick={() => chat.load(id)}>
              The messages could not be read. Try again
            </button>
          </div>
        )}
        <ol className="rows" ref={list}>
          {rows.map(({ message, day, isNew, isFirst }) => (
            <Row
              key={message.id}
              message={message}
              name={users.get(message.user_id) ?? "…"}
              day={day}
              today={today}
              isNew={isNew}
              isFirst={isFirst}
              isOwn={message.user_id === self.user_id}
              canDelete={self.admin}
              isEditing={message.id === editingId}
              onEdit={onEdit}
              onEditEnd={onEditEnd}
              onDelete={onDelete}
            />
          ))}
          {outgoing.map((item, index) => {
            const mine = { user_id: self.user_id, time: item.at };
            const isFirst = index === 0 ? !continues(newest, mine) : false;
            return <OutgoingRow key={item.key} item={item} isFirst={isFirst} onTakeBack={onTakeBack} />;
          })}
        </ol>
      </section>
      {!isAtEnd && (
        <button type="button" className="to-end" data-unread={unread > 0 || undefined} onClick={toEnd}>
          <Down />
          {unread > 0 ? `${unread} new` : "Newest"}
        </button>
      )}
      {state === "ready" && (
        <Announcer newest={newest?.user_id === self.user_id ? undefined : newest} name={newest && users.get(newest.user_id)} />
      )}
    </>
  );
}
