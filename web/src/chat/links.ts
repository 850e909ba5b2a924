/** Owns which parts of a text are web addresses, where each one ends, and which host it opens: one walk over the text, whatever is in it. */

export interface Link {
  /** As it was typed. */
  readonly text: string;
  readonly index: number;
  /** The host that the browser opens; missing where the typed text names the same. */
  readonly host: string | undefined;
}

const beginning = /\bhttps?:\/\//gi;
/** Characters that end an address. Terminal punctuation of ASCII is none, as addresses contain it. */
const outside = /[\p{White_Space}\p{Cc}<>"'`]|(?!\p{ASCII})[\p{Terminal_Punctuation}\p{Sentence_Terminal}]/u;
const ascii = /\p{ASCII}/u;
const opening = /[\p{Ps}\p{Pi}]/u;
/** U+2019 is an apostrophe too, and so it is left to `trailing`. */
const closing = /(?!\u2019)[\p{Pe}\p{Pf}]/u;
/** Bidirectional controls, zero-width characters and fillers: an address that contains one does not look like what it opens. */
const unseen = /[\p{Default_Ignorable_Code_Point}\p{Cf}]/u;
/** Part of an address only where more of it follows. */
const trailing = /[.,:;!?\u2019\u2026\p{Default_Ignorable_Code_Point}\p{Cf}]/u;

/** The end of the address whose authority begins at `from`, and the end of what was looked at. */
function findEnd(text: string, from: number): { end: number; next: number } {
  let at = from;
  let end = from;
  /** The end of what stands before each bracket that is still open: brackets are part of an address in pairs only. */
  const open: number[] = [];
  for (let before = ""; at < text.length; ) {
    const character = String.fromCodePoint(text.codePointAt(at) ?? 0);
    if (outside.test(character)) break;
    if (opening.test(character)) {
      // After plain ASCII, a bracket of another script belongs to the sentence.
      if (!ascii.test(character) && ascii.test(before)) break;
      open.push(end);
    } else if (closing.test(character) && open.pop() === undefined) break;
    at += character.length;
    if (!trailing.test(character)) end = at;
    before = character;
  }
  return { end: open[0] ?? end, next: at };
}

function toLink(text: string, index: number): Link | undefined {
  const url = URL.parse(text);
  if (url === null || url.username !== "" || url.password !== "" || unseen.test(text)) return undefined;
  const [typed = ""] = text.slice(text.indexOf("//") + 2).split(/[/?#\\]/, 1);
  const withPort = `${url.host}:${url.protocol === "https:" ? 443 : 80}`;
  return { text, index, host: [url.host, withPort].includes(typed.toLowerCase()) ? undefined : url.host };
}

/** The addresses of a text, in order; without those that do not show which host they open. */
export function findLinks(text: string): Link[] {
  const links: Link[] = [];
  let looked = 0;
  for (const { 0: scheme, index } of text.matchAll(beginning)) {
    if (index < looked) continue;
    const { end, next } = findEnd(text, index + scheme.length);
    looked = next;
    const link = toLink(text.slice(index, end), index);
    if (link) links.push(link);
  }
  return links;
}
