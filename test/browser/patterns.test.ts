import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { findLinks } from "../../web/src/chat/links.ts";
import { findSlow, patternsOf } from "../support/patterns.ts";

const sources = fileURLToPath(new URL("../../web/src/", import.meta.url));

const patterns = patternsOf(sources);

/** Texts that make a careless pattern or walk go over the same again and again: each is as long as is asked for. */
const pieces = [
  ..."a 0 . / ( ) [ ] () )( 「 」 。 、 \u202e \u200b é \u{1F600} x.".split(" "),
  ...[" ", "\n", "\t"],
  ...["http://", "https://a.b ", "https://a.b(", "https://a.b).", "https://a.b（", "https:///", "https://a@b ", "https://a.b\u200b,"],
  ...["#/channel/", "#/channel/1", "1 ", "a,b;c:", '"', "<", "&lt;"],
];
/** Four times the longest message: work in proportion to it takes a few milliseconds, work that grows with its square a second and more. */
const length = 40_000;
const hostile = pieces.flatMap((piece) =>
  ["", "https://a.b/", "#/channel/1", "x"].map((head) => `${head}${piece.repeat(Math.ceil(length / piece.length))}!`),
);

test("each pattern of the web app takes time in proportion to a stranger's text", { timeout: 60_000 }, () => {
  expect(patterns.length).toBeGreaterThan(5);
  for (const { name, pattern } of patterns) {
    const all = new RegExp(pattern.source, `${pattern.flags.replace("g", "")}g`);
    expect(
      findSlow(hostile, (text) => text.replace(all, "")),
      name,
    ).toBeUndefined();
  }
});

test("so does finding its links", { timeout: 60_000 }, () => {
  expect(findSlow(hostile, findLinks)).toBeUndefined();
});

test("the measure sees work that grows with the square", { timeout: 60_000 }, () => {
  expect(findSlow(hostile, (text) => text.replace(/ +$/, ""))).toBeDefined();
});
