/** Owns the figures of a run: each a ratio or a number with a goal, shown as it comes. */

import { median } from "./quantiles.ts";

/** One run's measurement of both sides. */
export interface Pair {
  /** What ours is held against. */
  readonly bare: number;
  readonly ours: number;
}

interface Goal {
  readonly atLeast?: number;
  readonly atMost?: number;
}

export interface Figure extends Pair {
  readonly what: string;
  readonly unit: string;
  /** What is judged: the ratio to bare, or the figure itself. */
  readonly judged: number;
  readonly goal?: Goal;
  /** Each run's judged figure. */
  readonly runs: readonly number[];
}

export const ratio = ({ bare, ours }: Pair) => ours / bare;
/** Where there is nothing to hold it against. */
export const alone = ({ ours }: Pair) => ours;

function round(value: number): string {
  if (Number.isNaN(value)) return "";
  return value >= 100 ? Math.round(value).toLocaleString("en") : value.toPrecision(3);
}

function meets({ judged, goal }: Figure): boolean {
  return judged >= (goal?.atLeast ?? Number.NEGATIVE_INFINITY) && judged <= (goal?.atMost ?? Number.POSITIVE_INFINITY);
}

function show(figure: Figure): void {
  const { what, bare, ours, unit, judged, goal } = figure;
  const wanted = goal?.atLeast === undefined ? (goal?.atMost === undefined ? "" : `≤ ${goal.atMost}`) : `≥ ${goal.atLeast}`;
  const spread = figure.runs.length > 1 ? ` (${figure.runs.map((value) => value.toFixed(2)).join(", ")})` : "";
  const verdict = goal === undefined ? "" : meets(figure) ? "met" : "MISSED";
  console.log(
    [
      what.padEnd(42),
      round(bare).padStart(10),
      round(ours).padStart(10),
      unit.padEnd(24),
      judged.toFixed(2).padStart(9),
      wanted.padEnd(8),
      verdict + spread,
    ].join(" "),
  );
}

export class Figures {
  readonly rows: Figure[] = [];

  constructor() {
    console.log(["".padEnd(42), "bare".padStart(10), "Keenchat".padStart(10), "".padEnd(24), "judged".padStart(9), "goal"].join(" "));
  }

  get met(): boolean {
    return this.rows.every(meets);
  }

  /** Adds the median of some runs. */
  add(what: string, unit: string, pairs: readonly Pair[], judge: (pair: Pair) => number, goal?: Goal): void {
    const runs = pairs.map(judge);
    const [bare, ours] = [median(pairs.map((pair) => pair.bare)), median(pairs.map((pair) => pair.ours))];
    const figure: Figure = { what, unit, bare, ours, judged: median(runs), runs, ...(goal && { goal }) };
    this.rows.push(figure);
    show(figure);
  }
}
