/** Owns how times are put: in the reader's own language and zone. */

const time = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const day = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long" });
const dayOfYear = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "long", year: "numeric" });
const full = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "medium" });
const dayMs = 86_400_000;

export const sayTime = (at: number): string => time.format(at);
export const sayFull = (at: number): string => full.format(at);

/** The day that was asked for last: neighbouring messages ask for the same, and thousands ask at once. */
let known = { start: 0, end: 0 };

/** A number that is the same for all times of one local day. */
export function dayOf(at: number): number {
  if (at < known.start || at >= known.end) {
    const start = new Date(at).setHours(0, 0, 0, 0);
    known = { start, end: new Date(start).setHours(24, 0, 0, 0) };
  }
  return known.start;
}

export function sayDay(at: number, now: number): string {
  const days = Math.round((dayOf(now) - dayOf(at)) / dayMs);
  if (days === 0) return "Today";
  if (days === 1) return "Yesterday";
  return days < 300 ? day.format(at) : dayOfYear.format(at);
}
