/** Owns the source of `queries.js`: which procedures only read, read off the router. Run by itself it prints it, for builds that take the client's sources. */
import { pathToFileURL } from "node:url";
import { appRouter } from "../../src/api.ts";

export function printQueries(): string {
  const procedures = appRouter._def.procedures as unknown as Record<string, { _def: { type: string } }>;
  const paths = Object.keys(procedures).filter((path) => procedures[path]?._def.type === "query");
  return `export const queries: ReadonlySet<string> = new Set(${JSON.stringify(paths)});\n`;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) process.stdout.write(printQueries());
