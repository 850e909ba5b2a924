/** Owns how much is written to a reader at once. */

const chunkBytes = 64 * 1024;

/** Cuts events so that what is written at once stays small, however much was committed together. */
export function pieces<Item extends { readonly payload: string | null }>(events: readonly Item[]): (readonly Item[])[] {
  const cut: (readonly Item[])[] = [];
  let from = 0;
  let bytes = 0;
  for (const [index, event] of events.entries()) {
    bytes += event.payload?.length ?? 0;
    if (bytes < chunkBytes) continue;
    cut.push(events.slice(from, index + 1));
    from = index + 1;
    bytes = 0;
  }
  if (from < events.length) cut.push(from === 0 ? events : events.slice(from));
  return cut;
}
