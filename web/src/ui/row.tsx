/** Owns one message on the page. */
import type { Message } from "@keenchat/client";
import { type KeyboardEvent, memo, useEffect, useState } from "react";
import type { Outgoing } from "../chat/outgoing.ts";
import { sayError } from "../chat/words.ts";
import { Avatar } from "./avatar.tsx";
import { useChat, useChatState } from "./chat-context.tsx";
import { useGrowingBox } from "./composer.tsx";
import { Bin, Pencil } from "./icons.tsx";
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
  const chat = useChat();
  const [text, setText] = useState(message.message_text);
  const [problem, setProblem] = useState<string>();
  const box = useGrowingBox(text);
  useEffect(() => {
    const { current } = box;
    current?.focus();
    current?.setSelectionRange(current.value.length, current.value.length);
  }, [box]);

  async function save() {
    try {
      await chat.changeMessage(message, text);
      onEnd();
    } catch (error) {
      setProblem(sayError(error));
    }
  }

  function onKeyDown(event: KeyboardEvent) {
    if (event.nativeEvent.isComposing) return;
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
        aria-label="Change your message"
        value={text}
        onChange={(event) => setText(event.target.value)}
        onKeyDown={onKeyDown}
      />
      {problem !== undefined && (
        <p className="problem" role="alert">
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
  name: string;
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

export const Row = memo(function Row({ message, name, day, today, isNew, isFirst, isOwn, canDelete, isEditing, ...on }: RowProps) {
  return (
    <li className="row" data-first={isFirst || undefined} data-id={message.id}>
      {day !== undefined && <h3 className="day">{sayDay(day, today)}</h3>}
      {isNew && <p className="new-line">New</p>}
      <div className="row-body" tabIndex={-1}>
        <div className="row-side">
          {isFirst ? <Avatar id={message.user_id} name={name} /> : <Time className="row-time" at={message.time} />}
        </div>
        <div className="row-main">
          <p className={isFirst ? "who" : "sr"}>
            <b>{name}</b>
            {isFirst && <Time at={message.time} />}
          </p>
          <div data-place>
            {isEditing ? <Editor message={message} onEnd={on.onEditEnd} /> : <MessageText text={message.message_text} />}
          </div>
          {message.edited_at !== undefined && !isEditing && <p className="edited">changed</p>}
        </div>
        {(isOwn || canDelete) && !isEditing && (
          <div className="row-actions">
            {isOwn && (
              <button
                type="button"
                className="icon-button"
                aria-label="Change message"
                title="Change"
                onClick={() => on.onEdit(message.id)}
              >
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

interface OutgoingRowProps {
  item: Outgoing;
  isFirst: boolean;
  onTakeBack: (key: string, text: string) => void;
}

/** A message on its way, or one that could not go. */
export function OutgoingRow({ item, isFirst, onTakeBack }: OutgoingRowProps) {
  const chat = useChat();
  const { user_id, username } = useChatState((state) => state.self);
  return (
    <li className="row" data-first={isFirst || undefined} data-outgoing={item.state}>
      <div className="row-body">
        <div className="row-side">{isFirst && <Avatar id={user_id} name={username} />}</div>
        <div className="row-main">
          <p className={isFirst ? "who" : "sr"}>
            <b>{username}</b>
            {isFirst && <Time at={item.at} />}
          </p>
          <MessageText text={item.text} />
          {item.state === "refused" && (
            <div className="row-problem" role="alert">
              <p>
                <b>Not sent.</b> {item.reason}
              </p>
              <div className="row-offers">
                <button type="button" className="button small" onClick={() => onTakeBack(item.key, item.text)}>
                  Change it
                </button>
                <button type="button" className="button small quiet" onClick={() => chat.outbox.drop(item.key)}>
                  Discard
                </button>
              </div>
            </div>
          )}
          {item.state !== "refused" && item.reason !== undefined && (
            <div className="row-waiting">
              <p>Not sent yet. {item.reason}</p>
              <div className="row-offers">
                <button type="button" className="button small" onClick={() => chat.outbox.retry(item.key)}>
                  Send now
                </button>
                <button type="button" className="button small quiet" onClick={() => onTakeBack(item.key, item.text)}>
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
