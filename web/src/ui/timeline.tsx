/** Owns the messages of the open channel on the page: reading upwards without jumps, following at the end. */
import type { Channel, CurrentSession, Message } from "@keenchat/client";
import type { Messages, PendingMessage } from "@keenchat/client/react";
import { useDeferredValue, useEffect, useLayoutEffect, useMemo, useRef } from "react";
import { Down } from "./icons.tsx";
import { useIsVisible } from "./media.ts";
import { useName } from "./name.ts";
import { PendingRow, Row } from "./row.tsx";
import { continues, toRows } from "./rows.ts";
import { KeepPlace, useScroll } from "./scroll.ts";
import { useToday } from "./today.ts";

/** What most windows show of a channel. */
const firstRows = 20;

/** Asks for older messages well before the reader is there. */
const aheadPx = 1_500;

/** It has its place before it does anything, so that the list below it stays in its own. */
function Older({ messages: { messages, error, loadOlder }, isWhole }: { messages: Messages; isWhole: boolean }) {
  const sentinel = useRef<HTMLDivElement>(null);
  const firstId = messages[0]?.id;
  // biome-ignore lint/correctness/useExhaustiveDependencies: runs again after each page.
  useEffect(() => {
    if (!sentinel.current || error || !isWhole) return;
    const observer = new IntersectionObserver((entries) => entries.at(-1)?.isIntersecting && void loadOlder(), {
      root: sentinel.current.closest(".scroller"),
      rootMargin: `${aheadPx}px 0px 0px 0px`,
    });
    observer.observe(sentinel.current);
    return () => observer.disconnect();
  }, [firstId, error, loadOlder, isWhole]);
  return (
    <div className="older" ref={sentinel}>
      {error ? (
        <button type="button" className="button small" onClick={loadOlder}>
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

function Spoken({ message: { user_id, message_text } }: { message: Message }) {
  const name = useName(user_id);
  return name !== undefined && `${name}: ${message_text}`;
}

/** Tells a screen reader what arrives, and nothing of what was there before. */
function Announcer({ newest }: { newest: Message | undefined }) {
  const since = useRef(newest?.id);
  const isNews = newest !== undefined && since.current !== undefined && newest.id > since.current;
  useEffect(() => {
    since.current ??= newest?.id ?? 0;
  }, [newest]);
  return (
    <p className="sr" role="status">
      {isNews && <Spoken message={newest} />}
    </p>
  );
}

interface TimelineProps {
  channel: Channel;
  self: CurrentSession;
  messages: Messages;
  /** How many are unread, and what says that they were seen. */
  unread: number;
  onSeen: (channelId: number) => void;
  newFrom: number | undefined;
  editingId: number | undefined;
  onEdit: (id: number) => void;
  onEditEnd: () => void;
  onDelete: (message: Message) => void;
  onTakeBack: (message: PendingMessage) => void;
}

export function Timeline({ channel, self, messages: all, unread, onSeen, newFrom, editingId, ...on }: TimelineProps) {
  const { id } = channel;
  const { messages, pending, hasOlder, status, trim } = all;
  const isVisible = useIsVisible();
  // Visible messages are rendered first; those above a moment later, while the user can already type.
  const isWhole = useDeferredValue(messages.length > 0, false);
  const rows = useMemo(() => toRows(isWhole ? messages : messages.slice(-firstRows), newFrom), [messages, isWhole, newFrom]);
  const version = useMemo(() => ({ rows, pending, status }), [rows, pending, status]);
  const { scroller, list, isAtEnd, onScroll, toEnd, keepPlace } = useScroll(rows[0]?.message.id, version);
  const today = useToday();
  const newest = messages.at(-1);

  // Before the paint: a visible message is never unread.
  useLayoutEffect(() => {
    if (isAtEnd && isVisible && unread > 0) onSeen(id);
  }, [id, isAtEnd, isVisible, unread, onSeen]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: runs again with each message.
  useEffect(() => {
    if (isAtEnd) trim();
  }, [messages, isAtEnd, trim]);

  const ownCount = pending.length;
  // A user wants to see the message that they just sent.
  useEffect(() => {
    if (ownCount > 0) toEnd();
  }, [ownCount, toEnd]);

  return (
    <KeepPlace value={keepPlace}>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard. */}
      <section className="scroller" ref={scroller} onScroll={onScroll} tabIndex={0} aria-label="Messages" aria-busy={status === "loading"}>
        <div className="scroller-fill" />
        {status === "loaded" && hasOlder && <Older messages={all} isWhole={isWhole} />}
        {status === "loaded" && !hasOlder && <Beginning channel={channel} isEmpty={messages.length === 0 && ownCount === 0} />}
        {status === "failed" && (
          <div className="older">
            <button type="button" className="button small" onClick={all.reload}>
              The messages could not be read. Try again
            </button>
          </div>
        )}
        <ol className="rows" ref={list}>
          {rows.map(({ message, day, isNew, isFirst }) => (
            <Row
              key={message.id}
              message={message}
              day={day}
              today={today}
              isNew={isNew}
              isFirst={isFirst}
              isOwn={message.user_id === self.user_id}
              canDelete={self.admin}
              isEditing={message.id === editingId}
              onEdit={on.onEdit}
              onEditEnd={on.onEditEnd}
              onDelete={on.onDelete}
            />
          ))}
          {pending.map((message, index) => {
            const isFirst = index === 0 && !continues(newest, { user_id: self.user_id, time: message.time });
            return (
              <PendingRow
                key={message.client_message_id}
                message={message}
                self={self}
                isFirst={isFirst}
                onRetry={all.retry}
                onDiscard={all.discard}
                onTakeBack={on.onTakeBack}
              />
            );
          })}
        </ol>
      </section>
      {!isAtEnd && (
        <button type="button" className="to-end" data-unread={unread > 0 || undefined} onClick={toEnd}>
          <Down />
          {unread > 0 ? `${unread} new` : "Newest"}
        </button>
      )}
      {status === "loaded" && <Announcer newest={newest?.user_id === self.user_id ? undefined : newest} />}
    </KeepPlace>
  );
}
