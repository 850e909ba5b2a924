/** Owns `/docs`: the pages of docs/ as HTML with the references beside them, made at their first use. No page asks anything of another host. */
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { AppError } from "../../core/errors.ts";
import type { HttpHandler } from "../http/http.ts";
import { renderPages } from "./docs-pages.ts";
import { type File, sendFile, toFile } from "./file.ts";

/** Nothing inline and nothing from elsewhere; the viewer's icons are `data:` images of its own style sheet. */
const contentSecurityPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

const directory = new URL("../../../docs/", import.meta.url);
const require = createRequire(import.meta.url);

const html = "text/html; charset=utf-8";
const css = "text/css; charset=utf-8";
const script = "text/javascript; charset=utf-8";
const assets: Readonly<Record<string, readonly [path: string | URL, contentType: string]>> = {
  "style.css": [new URL("style.css", directory), css],
  "rest.js": [new URL("rest.js", directory), script],
  "swagger-ui.css": [require.resolve("swagger-ui-dist/swagger-ui.css"), css],
  "swagger-ui-bundle.js": [require.resolve("swagger-ui-dist/swagger-ui-bundle.js"), script],
};

/** Compressed once, not for each who asks. */
async function compress(content: Buffer, contentType: string): Promise<File> {
  return toFile(content, contentType, [["gzip", await promisify(gzip)(content)]]);
}

async function readAll(prefix: string): Promise<ReadonlyMap<string, File>> {
  const pages = [...(await renderPages(directory, prefix))].map(
    async ([name, page]) => [name, await compress(Buffer.from(page), html)] as const,
  );
  const loaded = Object.entries(assets).map(async ([name, [path, type]]) => [name, await compress(await readFile(path), type)] as const);
  return new Map(await Promise.all([...pages, ...loaded]));
}

/** Answers `GET /docs`, `/docs/PAGE` and what the pages load; their links begin with the prefix. */
export function createDocs(pathPrefix: string): HttpHandler {
  let reading: Promise<ReadonlyMap<string, File>> | undefined;
  return async (exchange) => {
    const [, name = "index", ...others] = exchange.target.segments;
    reading ??= readAll(pathPrefix);
    const files = await reading.catch((error: unknown) => {
      reading = undefined;
      throw error;
    });
    const file = others.length === 0 ? files.get(name) : undefined;
    if (!file) throw new AppError("NOT_FOUND", "There is no such page.");
    exchange.response.setHeader("Content-Security-Policy", contentSecurityPolicy);
    sendFile(exchange, file, "no-cache");
  };
}
