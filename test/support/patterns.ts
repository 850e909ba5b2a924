/** The regular expressions of a source folder, and whether work on a text grows faster than the text. */
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";

export interface Pattern {
  readonly name: string;
  readonly pattern: RegExp;
}

export function patternsOf(directory: string): Pattern[] {
  return globSync("**/*.{ts,tsx}", { cwd: directory })
    .sort()
    .flatMap((path) => {
      const found: Pattern[] = [];
      const visit = (node: ts.Node): void => {
        if (ts.isRegularExpressionLiteral(node)) {
          const [, body = "", flags] = /^\/(.*)\/([a-z]*)$/su.exec(node.text) ?? [];
          found.push({ name: `${path}: ${node.text}`, pattern: new RegExp(body, flags) });
        }
        ts.forEachChild(node, visit);
      };
      visit(ts.createSourceFile(path, readFileSync(join(directory, path), "utf8"), ts.ScriptTarget.Latest, true));
      return found;
    });
}

/** Work in proportion to the longest hostile text takes a few milliseconds, work that grows with its square a second and more. */
const maxMs = 150;

function takesLong(work: () => unknown): boolean {
  const startMs = performance.now();
  work();
  return performance.now() - startMs > maxMs;
}

/** A text that keeps the work busy each time: other work of the machine does so once. */
export function findSlow(texts: readonly string[], work: (text: string) => unknown): string | undefined {
  return texts.find((text) => [1, 2, 3].every(() => takesLong(() => work(text))))?.slice(0, 60);
}
