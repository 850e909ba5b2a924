/** Owns how a message's text is shown: as it was typed, with web addresses made links. */
import { Fragment, type ReactNode, useContext, useRef, useState } from "react";
import { findLinks } from "../chat/links.ts";
import { KeepPlace } from "./scroll.ts";

function withLinks(text: string): ReactNode {
  const parts: ReactNode[] = [];
  let end = 0;
  for (const { text: address, index, host } of findLinks(text)) {
    parts.push(
      <Fragment key={index}>
        {text.slice(end, index)}
        {/* With a direction of its own it is isolated: nothing around it can turn it round. */}
        <a href={address} target="_blank" rel="noopener noreferrer nofollow" dir="ltr" data-host={host}>
          {address}
        </a>
      </Fragment>,
    );
    end = index + address.length;
  }
  return [...parts, text.slice(end)];
}

const longCharacters = 1_500;
const longLines = 24;

function isLong(text: string): boolean {
  return text.length > longCharacters || (text.length > longLines && text.split("\n", longLines + 1).length > longLines);
}

export function MessageText({ text }: { text: string }) {
  const [isWhole, setIsWhole] = useState(false);
  const keepPlace = useContext(KeepPlace);
  const paragraph = useRef<HTMLParagraphElement>(null);
  const button = useRef<HTMLButtonElement>(null);
  const isCut = !isWhole && isLong(text);

  // The beginning of a text that opens stays where it is; of one that closes, the button that was pressed.
  function toggle() {
    keepPlace(isWhole ? button.current : paragraph.current, () => setIsWhole(!isWhole));
  }

  return (
    <>
      <p ref={paragraph} className="text" dir="auto" data-cut={isCut || undefined}>
        {withLinks(text)}
      </p>
      {isLong(text) && (
        <button ref={button} type="button" className="link" aria-expanded={isWhole} onClick={toggle}>
          {isWhole ? "Show less" : "Show all"}
        </button>
      )}
    </>
  );
}
