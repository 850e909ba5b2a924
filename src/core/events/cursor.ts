/** Owns the cursor: an opaque name for one position of one log. */

const form = /^([0-9a-z]{1,11})\.([A-Za-z0-9_-]{1,16})$/;

/** The cursor of a position: characters of `[A-Za-z0-9._-]`, at most 28. */
export function toCursor(seq: number, tag: string): string {
  return `${seq.toString(36)}.${tag}`;
}

/** The position a cursor claims, or undefined where the text is not in the form of a cursor. */
export function parseCursor(cursor: string): { seq: number; tag: string } | undefined {
  const match = form.exec(cursor);
  if (!match?.[1] || !match[2]) return undefined;
  const seq = Number.parseInt(match[1], 36);
  return Number.isSafeInteger(seq) && seq.toString(36) === match[1] ? { seq, tag: match[2] } : undefined;
}
