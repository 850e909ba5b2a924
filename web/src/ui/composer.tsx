/** Owns the message box: Enter sends, Shift+Enter breaks the line, and it grows with what is in it. */
import type { Channel } from "@keenchat/client";
import { type KeyboardEvent, useLayoutEffect, useRef } from "react";
import { focusPlace } from "./focus.ts";
import { Send } from "./icons.tsx";
import { isComposing } from "./keys.ts";

const maxCharacters = 10_000;
const countFrom = 9_000;

interface ComposerProps {
  channel: Channel;
  typing: { start(): void; stop(): void };
  draft: string;
  onDraft: (draft: string) => void;
  onSend: (text: string) => void;
  /** Arrow up in an empty box: edit one's last message. */
  onEditLast: () => void;
}

/** Keeps a box as high as its text, up to what the style allows. */
export function useGrowingBox(text: string) {
  const box = useRef<HTMLTextAreaElement>(null);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the height follows the text.
  useLayoutEffect(() => {
    if (!box.current) return;
    const { style, offsetHeight, clientHeight } = box.current;
    style.height = "auto";
    style.height = `${box.current.scrollHeight + offsetHeight - clientHeight}px`;
  }, [text]);
  return box;
}

export function Composer({ channel, typing, draft, onDraft, onSend, onEditLast }: ComposerProps) {
  const box = useGrowingBox(draft);
  // A channel that was just opened gets the focus in its message box.
  useLayoutEffect(focusPlace, []);
  // Code points, as the server counts; looked at only where it matters.
  const characters = draft.length > countFrom ? [...draft].length : 0;

  function change(text: string) {
    onDraft(text);
    if (text.trim() === "") typing.stop();
    else typing.start();
  }

  function send() {
    if (draft.trim() === "") return;
    onSend(draft);
    typing.stop();
    onDraft("");
    box.current?.focus();
  }

  function onKeyDown(event: KeyboardEvent) {
    if (isComposing(event)) return;
    if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      send();
    } else if (event.key === "ArrowUp" && draft === "") {
      event.preventDefault();
      onEditLast();
    }
  }

  return (
    <form
      className="composer"
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
    >
      <textarea
        ref={box}
        id="composer"
        dir="auto"
        rows={1}
        placeholder={`Write to ${channel.title}`}
        aria-label={`Message to ${channel.title}`}
        enterKeyHint="send"
        value={draft}
        onChange={(event) => change(event.target.value)}
        onKeyDown={onKeyDown}
        onBlur={() => typing.stop()}
      />
      {characters > countFrom && (
        <span className="characters" data-over={characters > maxCharacters || undefined} role="status">
          {(maxCharacters - characters).toLocaleString()} left
        </span>
      )}
      <button type="submit" className="send" aria-label="Send" title="Send (Enter)" disabled={draft.trim() === ""}>
        <Send />
      </button>
    </form>
  );
}
