/** Reading our own documents: their tables and code, so that tests can hold them against the source. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "./copy.ts";

export interface Document {
  readonly text: string;
  /** The rows of the table with these headings, cell by cell. */
  table(...headings: string[]): string[][];
  /** The fenced blocks of a language, in order. */
  code(language: string): string[];
}

function cells(line: string): string[] {
  return line
    .split("|")
    .slice(1, -1)
    .map((cell) => cell.trim());
}

export function readDocument(file: string): Document {
  const text = readFileSync(join(root, file), "utf8");
  return {
    text,
    table(...headings) {
      const lines = text.split("\n");
      const head = lines.findIndex((line) => line.startsWith("|") && cells(line).join("|") === headings.join("|"));
      if (head === -1) throw new Error(`${file} has no table with the headings ${headings.join(" | ")}.`);
      const end = lines.findIndex((line, index) => index > head && !line.startsWith("|"));
      return lines.slice(head + 2, end).map(cells);
    },
    code: (language) => [...text.matchAll(/^```(\S*)\n(.*?)^```$/gms)].flatMap(([, name, code = ""]) => (name === language ? [code] : [])),
  };
}
