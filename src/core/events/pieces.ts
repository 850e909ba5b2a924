/** Owns how much is written to a reader at once. */

const chunkBytes = 64 * 1024;

/** Splits events into small writes, for commits of any size. A larger event is written alone. */
export function pieces<Item extends { readonly payload: string | null }>(events: readonly Item[]): (readonly Item[])[] {
  const cut: (readonly Item[])[] = [];
  let from = 0;
  let bytes = 0;
  for (const [index, { payload }] of events.entries()) {
    const size = payload?.length ?? 0;
    if (bytes + size > chunkBytes && index > from) {
      cut.push(events.slice(from, index));
      from = index;
      bytes = 0;
    }
    bytes += size;
  }
  if (from < events.length) cut.push(from === 0 ? events : events.slice(from));
  return cut;
}
