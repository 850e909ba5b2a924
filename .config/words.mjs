// Refuses words that readers from other countries read twice: `node .config/words.mjs`. Part of `npm run check`.
import { globSync, readFileSync } from "node:fs";

/** Each pattern, and what to write instead. */
const refused = [
  [/\bwho(?:so|m)?ever\b/i, "name the subject: a client, a reader, a node"],
  [/\banew\b/i, "again"],
  [/\b(?:is|are|was|were|be) no more(?=[.,;:)]|$)/i, "is gone, has ended"],
  [/\bof (?:ours|theirs)\b/i, "name the owner"],
  [/\bhear(?:s|d)? of\b/i, "programs get, learn or see things"],
  [/\ball the same\b/i, "even so, still"],
  [/\bin the dark\b/i, "say what is missing"],
  [/\bdear(?:er|ly)?\b/i, "expensive"],
  [/\bg(?:ives?|ave|iven|iving) up\b/i, "stops, times out, closes, discards"],
];

const files = globSync(["{src,client,web,docs}/**/*.{ts,tsx,js,css,html}", "**/*.md"], { exclude: ["**/node_modules", "**/dist"] });
const found = files.flatMap((file) =>
  readFileSync(file, "utf8")
    .split("\n")
    .flatMap((line, index) =>
      refused
        .map(([pattern, instead]) => ({ word: pattern.exec(line)?.[0], instead }))
        .filter(({ word }) => word !== undefined)
        .map(({ word, instead }) => `${file}:${index + 1}: "${word}"; ${instead}`),
    ),
);

for (const line of found) console.error(line);
if (found.length > 0) process.exitCode = 1;
