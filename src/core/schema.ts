/** Owns the Zod shapes that several features share: ids, text as people write it, pages. */
import { z } from "zod";
import { defaultPageLength, maxPageLength } from "./limits.ts";

/** Positive integer, never reused. */
export const Id = z
  .int()
  .min(1)
  .meta({ description: "Positive integer, never reused.", examples: [1] });

export const Time = z
  .int()
  .min(0)
  .meta({ description: "Integer milliseconds since the Unix epoch, set by the server.", examples: [1_795_867_200_000] });

/** A position of the log, as a client has it. */
export const Cursor = z.string().meta({ description: "A position of the log, as it came.", examples: ["42.k3v9x2"] });

/** The name of a type, made of words: `post user` and `Event` are `PostUserEvent`, `message.post` and `Input` are `MessagePostInput`. */
export function typeName(words: string, kind: string): string {
  return words.replaceAll(/(?:^|[ .])(\w)/g, (_, letter: string) => letter.toUpperCase()) + kind;
}

/** Counts Unicode code points, which are close enough to characters for a limit. */
function codePoints(text: string): number {
  let count = 0;
  for (const _ of text) count += 1;
  return count;
}

function fits(text: string, min: number, max: number): boolean {
  if (text.length > 2 * max) return false;
  const length = text.length > max || min > 1 ? codePoints(text) : text.length;
  return length >= min && length <= max;
}

/** Text that can be stored, looked up and sent back exactly as it came: no NUL, no lone surrogate. */
export const Storable = z.string().refine((value) => value.isWellFormed() && !value.includes("\0"), "Must be valid Unicode without NUL.");

/** What can be seen. U+2800 is Braille without a dot. */
const visible = /[^\p{White_Space}\p{Default_Ignorable_Code_Point}\p{Cc}\u2800]/u;

/**
 * Text of `min` to `max` Unicode code points. Longer text, NUL and lone surrogates are refused, never mended.
 * With `blank: false`, a text in which nothing can be seen is refused too.
 */
export function text(min: number, max: number, options: { blank?: boolean } = {}) {
  const blank = options.blank ?? true;
  const length = `Must be ${min === 0 ? `at most ${max}` : `${min} to ${max}`} characters long.`;
  return Storable.refine((value) => fits(value, min, max), length)
    .refine((value) => blank || visible.test(value), "Must not be blank.")
    .meta({ minLength: min, maxLength: max });
}

export const Limit = z.int().min(1).max(maxPageLength).default(defaultPageLength).describe("How many at most.");
const After = z.int().min(0).describe("Only those with a larger id: the next ones; 0 starts from the beginning.").optional();

/** A page that starts at the first. */
export const forwardPage = { after: After, limit: Limit };

/** A page that starts at the newest, walks back with `before` and forward with `after`. */
export const newestPage = {
  before: z.int().min(0).describe("Only those with a smaller id: the ones just before it.").optional(),
  after: After,
  limit: Limit,
};

export interface Page {
  before?: number | undefined;
  after?: number | undefined;
  limit: number;
}

/** `before` and `after` exclude each other. */
export function oneDirection(page: Pick<Page, "before" | "after">): boolean {
  return page.before === undefined || page.after === undefined;
}
export const oneDirectionMessage = "Pass either before or after, not both.";
