import { globSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { expect, test } from "vitest";
import { findLinks } from "../../web/src/chat/links.ts";

const sources = fileURLToPath(new URL("../../web/src/", import.meta.url));

function patternsOf(path: string): { name: string; pattern: RegExp }[] {
  const found: { name: string; pattern: RegExp }[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isRegularExpressionLiteral(node)) {
      const [, body = "", flags] = /^\/(.*)\/([a-z]*)$/su.exec(node.text) ?? [];
      found.push({ name: `${path}: ${node.text}`, pattern: new RegExp(body, flags) });
    }
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(path, readFileSync(sources + path, "utf8"), ts.ScriptTarget.Latest, true));
  return found;
}

const patterns = globSync("**/*.{ts,tsx}", { cwd: sources }).sort().flatMap(patternsOf);

/** Texts that make a careless pattern or walk go over the same again and again: each is as long as is asked for. */
const pieces = [
  ..."a 0 . / ( ) [ ] () )( 「 」 。 、 \u202e \u200b é \u{1F600} x.".split(" "),
  ...[" ", "\n", "\t"],
  ...["http://", "https://a.b ", "https://a.b(", "https://a.b).", "https://a.b（", "https:///", "https://a@b ", "https://a.b\u200b,"],
  ...["#/channel/", "#/channel/1", "1 ", "a,b;c:", '"', "<", "&lt;"],
];
/** Four times the longest message: work in proportion to it takes a few milliseconds, work that grows with its square a second and more. */
const length = 40_000;
const maxMs = 150;
const hostile = pieces.flatMap((piece) =>
  ["", "https://a.b/", "#/channel/1", "x"].map((head) => `${head}${piece.repeat(Math.ceil(length / piece.length))}!`),
);

function takesLong(work: () => unknown): boolean {
  const startMs = performance.now();
  work();
  return performance.now() - startMs > maxMs;
}

/** The hostile texts that keep the work busy each time: other work of the machine does so once. */
function findSlow(work: (text: string) => unknown): string[] {
  return hostile.filter((text) => [1, 2, 3].every(() => takesLong(() => work(text)))).map((text) => `${text.slice(0, 40)}…`);
}

test("each pattern of the web app takes time in proportion to a stranger's text", { timeout: 60_000 }, () => {
  expect(patterns.length).toBeGreaterThan(5);
  for (const { name, pattern } of patterns) {
    const all = new RegExp(pattern.source, `${pattern.flags.replace("g", "")}g`);
    expect(
      findSlow((text) => text.replace(all, "")),
      name,
    ).toEqual([]);
  }
});

test("so does finding its links", { timeout: 60_000 }, () => {
  expect(findSlow(findLinks)).toEqual([]);
});

test("the measure sees work that grows with the square", { timeout: 60_000 }, () => {
  expect(findSlow((text) => text.replace(/ +$/, ""))).toContain(`${" ".repeat(40)}…`);
});
