/** Owns how a message's text is shown: as it was typed, with web addresses made links. */
import { Fragment, type ReactNode, useState } from "react";

const address = /\bhttps?:\/\/[^\s<>"'`]+/gi;
/** What follows an address in a sentence is not part of it. */
const trailing = /[.,;:!?…]+$/;

function toAddress(text: string): string | undefined {
  let url = text.replace(trailing, "");
  // A bracket that was opened before the address is closed after it.
  while (/[)\]]$/.test(url) && url.split(/[([]/).length < url.split(/[)\]]/).length) url = url.slice(0, -1).replace(trailing, "");
  return /^https?:$/.test(URL.parse(url)?.protocol ?? "") ? url : undefined;
}

function withLinks(text: string): ReactNode {
  const parts: ReactNode[] = [];
  let end = 0;
  for (const match of text.matchAll(address)) {
    const url = toAddress(match[0]);
    if (url === undefined) continue;
    parts.push(text.slice(end, match.index));
    parts.push(
      <a key={match.index} href={url} target="_blank" rel="noopener noreferrer nofollow">
        {url}
      </a>,
    );
    end = match.index + url.length;
  }
  if (end === 0) return text;
  parts.push(text.slice(end));
  return parts.map((part, index) => (typeof part === "string" ? <Fragment key={`text-${String(index)}`}>{part}</Fragment> : part));
}

const longCharacters = 1_500;
const longLines = 24;

function isLong(text: string): boolean {
  return text.length > longCharacters || (text.length > longLines && text.split("\n", longLines + 1).length > longLines);
}

export function MessageText({ text }: { text: string }) {
  const [isWhole, setIsWhole] = useState(false);
  const isCut = !isWhole && isLong(text);
  return (
    <>
      <p className="text" dir="auto" data-cut={isCut || undefined}>
        {withLinks(text)}
      </p>
      {isLong(text) && (
        <button type="button" className="link" aria-expanded={isWhole} onClick={() => setIsWhole(!isWhole)}>
          {isWhole ? "Show less" : "Show all"}
        </button>
      )}
    </>
  );
}
