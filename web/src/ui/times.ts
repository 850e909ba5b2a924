/** Owns how times are put: in the reader's own language and zone. */

/** A format, made at its first use: the first one of a page costs as much as all rows together. */
function format(options: Intl.DateTimeFormatOptions): (at: number) => string {
  let made: Intl.DateTimeFormat | undefined;
  return (at) => {
    made ??= new Intl.DateTimeFormat(undefined, options);
    return made.format(at);
  };
}

export const sayTime = format({ hour: "2-digit", minute: "2-digit" });
export const sayFull = format({ dateStyle: "full", timeStyle: "medium" });
const sayDayOfWeek = format({ weekday: "long", day: "numeric", month: "long" });
const sayDayOfYear = format({ day: "numeric", month: "long", year: "numeric" });
const dayMs = 86_400_000;

/** The day that was asked for last: neighbouring messages ask for the same, and thousands ask at once. */
let known = { start: 0, end: 0 };

function localDay(at: number): { start: number; end: number } {
  if (at < known.start || at >= known.end) {
    const start = new Date(at).setHours(0, 0, 0, 0);
    known = { start, end: new Date(start).setHours(24, 0, 0, 0) };
  }
  return known;
}

/** A number that is the same for all times of one local day. */
export const dayOf = (at: number): number => localDay(at).start;

/** When the local day after this one begins. */
export const nextDayOf = (at: number): number => localDay(at).end;

export function sayDay(at: number, now: number): string {
  const days = Math.round((dayOf(now) - dayOf(at)) / dayMs);
  if (days === 0) return "Today";
  if (days === 1) return "Yesterday";
  return days < 300 ? sayDayOfWeek(at) : sayDayOfYear(at);
}
