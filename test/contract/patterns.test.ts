import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { expect, test } from "vitest";
import { findSlow, type Pattern, patternsOf } from "../support/patterns.ts";

const patterns = patternsOf(fileURLToPath(new URL("../../src", import.meta.url)));

/** Longer than any header, or part of a URL, that is read. */
const length = 30_000;
const seed = 12;

/** Texts that match, as far as such can be made. */
function samplesOf({ pattern }: Pattern): string[] {
  try {
    return fc.sample(fc.stringMatching(new RegExp(pattern.source, pattern.flags.replace(/[gim]/g, ""))), { numRuns: 5, seed });
  } catch {
    // What looks around or back: a text is made of its own characters.
    return [pattern.source];
  }
}

/** A matching text up to somewhere in it, then one of its characters again and again, then what matches nowhere. */
function hostileTo(pattern: Pattern): string[] {
  const starts = samplesOf(pattern).flatMap((sample) =>
    Array.from({ length: Math.min(sample.length, 20) + 1 }, (_, end) => sample.slice(0, end)),
  );
  const pumped = new Set(starts.flatMap((start) => [start.slice(-1) || "/", " "].map((character) => start + character.repeat(length))));
  return [...pumped].map((text) => `${text}\u0001`);
}

test("each pattern of the server takes time in proportion to the text, whatever the text", { timeout: 120_000 }, () => {
  expect(patterns.length).toBeGreaterThan(20);
  for (const pattern of patterns)
    expect(
      findSlow(hostileTo(pattern), (text) => text.replace(pattern.pattern, "")),
      pattern.name,
    ).toBeUndefined();
});

test.each([
  ["two runs that may share their characters", /^application\/json\s*(?:;\s*charset\s*=\s*"?utf-?8"?\s*)?;?\s*$/i],
  ["a run that may begin anywhere", / +$/],
])("the measure sees %s", { timeout: 60_000 }, (name, pattern) => {
  expect(findSlow(hostileTo({ name, pattern }), (text) => text.replace(pattern, ""))).toBeDefined();
});
