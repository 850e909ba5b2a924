/** Owns which files make up `/docs`: the pages, and what they load. Nothing is loaded from another host. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { renderPages } from "./pages.ts";

const directory = new URL("../", import.meta.url);
const require = createRequire(import.meta.url);

const assets: Readonly<Record<string, string | URL>> = {
  "style.css": new URL("style.css", directory),
  "rest.js": new URL("rest.js", directory),
  "swagger-ui.css": require.resolve("swagger-ui-dist/swagger-ui.css"),
  "swagger-ui-bundle.js": require.resolve("swagger-ui-dist/swagger-ui-bundle.js"),
};

/** The files by name; web/build.js writes them. */
export function buildDocs(): ReadonlyMap<string, string> {
  const pages = [...renderPages(directory)].map(([name, html]) => [`${name}.html`, html] as const);
  const loaded = Object.entries(assets).map(([name, path]) => [name, readFileSync(path, "utf8")] as const);
  return new Map([...pages, ...loaded]);
}
