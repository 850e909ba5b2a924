/** Owns how `Content-Type` is read: one pass over its characters, as a stranger wrote them. https://www.rfc-editor.org/rfc/rfc9110#name-media-type */

/** The parts between semicolons; one inside quotes separates nothing. */
function partsOf(header: string): string[] {
  const parts: string[] = [];
  let start = 0;
  let quoted = false;
  for (let index = 0; index < header.length; index += 1) {
    const character = header[index];
    if (character === "\\" && quoted) index += 1;
    else if (character === '"') quoted = !quoted;
    else if (character === ";" && !quoted) {
      parts.push(header.slice(start, index));
      start = index + 1;
    }
  }
  return [...parts, header.slice(start)];
}

/** The type and the charsets that stand behind it, all in lower case. Other parameters mean nothing to us. */
export function readMediaType(header: string): { readonly type: string; readonly charsets: readonly string[] } {
  const [type = "", ...parameters] = partsOf(header).map((part) => part.trim().toLowerCase());
  const charsets = parameters.flatMap((parameter) => {
    const equals = parameter.indexOf("=");
    if (parameter.slice(0, equals).trim() !== "charset") return [];
    const value = parameter.slice(equals + 1).trim();
    return [value.length > 1 && value.startsWith('"') && value.endsWith('"') ? value.slice(1, -1) : value];
  });
  return { type, charsets };
}
