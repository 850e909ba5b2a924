/** Owns one message on the page. */
import type { CurrentSession, Message } from "@keenchat/client";
import { type PendingMessage, useKeenchat } from "@keenchat/client/react";
import { type KeyboardEvent, memo, useEffect, useId, useState } from "react";
import { sayError, sayWaiting } from "../chat/words.ts";
import { Avatar } from "./avatar.tsx";
import { useGrowingBox } from "./composer.tsx";
import { Bin, Pencil } from "./icons.tsx";
import { isComposing } from "./keys.ts";
import { useName } from "./name.ts";
import { MessageText } from "./text.tsx";
import { sayDay, sayFull, sayTime } from "./times.ts";

function Time({ at, className }: { at: number; className?: string }) {
  return (
    <time className={className} dateTime={new Date(at).toISOString()} title={sayFull(at)}>
      {sayTime(at)}
    </time>
  );
}

function Editor({ message, onEnd }: { message: Message; onEnd: () => void }) {
  const client = useKeenchat();
  const [text, setText] = useState(message.message_text);
  const [problem, setProblem] = useState<string>();
  const problemId = useId();
  const box = useGrowingBox(text);
  useEffect(() => {
    const { current } = box;
    current?.focus();
    current?.setSelectionRange(current.value.length, current.value.length);
  }, [box]);

  async function save() {
    try {
      if (text !== message.message_text) await client.message.put({ id: message.id, message_text: text });
      onEnd();
    } catch (error) {
      setProblem(sayError(error));
      box.current?.focus();
    }
  }

  function onKeyDown(event: KeyboardEvent) {
    if (isComposing(event)) return;
    if (event.key === "Escape") onEnd();
    if (event.key !== "Enter" || event.shiftKey) return;
    event.preventDefault();
    void save();
  }

  return (
    <div className="editor">
      <textarea
        ref={box}
        className="field"
        dir="auto"
        rows={1}
        aria-label="Edit your message"
        aria-invalid={problem !== undefined || undefined}
        aria-describedby={problem === undefined ? undefined : problemId}
        value={text}
        onChange={(event) => setText(event.target.value)}
        onKeyDown={onKeyDown}
      />
      {problem !== undefined && (
        <p className="field-problem" id={problemId} role="alert">
          {problem}
        </p>
      )}
      <div className="row-offers">
        <button type="button" className="button small primary" onClick={save}>
          Save
        </button>
        <button type="button" className="button small" onClick={onEnd}>
          Cancel
        </button>
      </div>
    </div>
  );
}

interface RowProps {
  message: Message;
  day: number | undefined;
  today: number;
  isNew: boolean;
  isFirst: boolean;
  isOwn: boolean;
  canDelete: boolean;
  isEditing: boolean;
  onEdit: (id: number) => void;
  onEditEnd: () => void;
  onDelete: (message: Message) => void;
}

export const Row = memo(function Row({ message, day, today, isNew, isFirst, isOwn, canDelete, isEditing, ...on }: RowProps) {
  const name = useName(message.user_id);
  return (
    <li className="row" data-first={isFirst || undefined} data-id={message.id}>
      {day !== undefined && <h3 className="day">{sayDay(day, today)}</h3>}
      {isNew && <p className="new-line">New</p>}
      <div className="row-body" tabIndex={-1}>
        <div className="row-side">
          {isFirst ? <Avatar id={message.user_id} name={name} /> : <Time className="row-time" at={message.time} />}
        </div>
        <div className="row-main">
          <p className={isFirst ? "who" : "sr"} data-unknown={name === undefined || undefined}>
            <b>{name ?? "…"}</b>
            {isFirst && <Time at={message.time} />}
          </p>
          <div data-place>
            {isEditing ? <Editor message={message} onEnd={on.onEditEnd} /> : <MessageText text={message.message_text} />}
          </div>
          {message.edited_at !== undefined && !isEditing && <p className="row-note">edited</p>}
        </div>
        {(isOwn || canDelete) && !isEditing && (
          <div className="row-actions">
            {isOwn && (
              <button type="button" className="icon-button" aria-label="Edit message" title="Edit" onClick={() => on.onEdit(message.id)}>
                <Pencil />
              </button>
            )}
            <button type="button" className="icon-button" aria-label="Delete message" title="Delete" onClick={() => on.onDelete(message)}>
              <Bin />
            </button>
          </div>
        )}
      </div>
    </li>
  );
});

interface PendingRowProps {
  message: PendingMessage;
  self: CurrentSession;
  isFirst: boolean;
  onRetry: (clientMessageId: string) => void;
  onDiscard: (clientMessageId: string) => void;
  onTakeBack: (message: PendingMessage) => void;
}

const sendingMs = 1_000;

/** A message that is posted quickly shows no status. */
function Sending() {
  const [shows, setShows] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setShows(true), sendingMs);
    return () => clearTimeout(timer);
  }, []);
  return shows && <p className="row-note">Sending…</p>;
}

/** A message on its way, or one that could not go. */
export function PendingRow({ message, self, isFirst, onRetry, onDiscard, onTakeBack }: PendingRowProps) {
  const { client_message_id: id, message_text, time, error } = message;
  return (
    <li className="row" data-first={isFirst || undefined} data-pending={error && !error.transient ? "refused" : "waiting"}>
      <div className="row-body">
        <div className="row-side">{isFirst && <Avatar id={self.user_id} name={self.username} />}</div>
        <div className="row-main">
          <p className={isFirst ? "who" : "sr"}>
            <b>{self.username}</b>
            {isFirst && <Time at={time} />}
          </p>
          <MessageText text={message_text} />
          {!error && <Sending />}
          {error && !error.transient && (
            <div className="row-problem" role="alert">
              <p>
                <b>Not sent.</b> {sayError(error)}
              </p>
              <div className="row-offers">
                <button type="button" className="button small" onClick={() => onTakeBack(message)}>
                  Edit
                </button>
                <button type="button" className="button small quiet" onClick={() => onDiscard(id)}>
                  Discard
                </button>
              </div>
            </div>
          )}
          {error?.transient && (
            <div className="row-waiting">
              <p>Not sent yet. {sayWaiting(error)}</p>
              <div className="row-offers">
                <button type="button" className="button small" onClick={() => onRetry(id)}>
                  Send now
                </button>
                <button type="button" className="button small quiet" onClick={() => onTakeBack(message)}>
                  Take it back
                </button>
              </div>
            </div>
          )}
        </div>
      </div>
    </li>
  );
}
