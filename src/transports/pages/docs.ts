/** Owns `/docs`: the pages that web/build.js made of docs/, and what they load. */
import { extname } from "node:path";
import { AppError } from "../../core/errors.ts";
import type { HttpHandler } from "../http/http.ts";
import type { Build } from "./build.ts";
import { sendFile, sendNotBuilt } from "./file.ts";

/** Nothing inline and nothing from another host; the icons of the viewer are `data:` images in its style sheet. */
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

/** The pages link to absolute paths, which begin with the server's path prefix. Quotes in their text are escaped. */
export function adaptDocsPage(html: string, pathPrefix: string): string {
  return html.replaceAll(/ (href|src)="\//g, ` $1="${pathPrefix}/`);
}

/** Answers `GET /docs`, `/docs/PAGE` and what the pages load. */
export function createDocs(build: Build): HttpHandler {
  return (exchange) => {
    const [, name = "index", ...others] = exchange.target.segments;
    if (!build.get("docs/index.html")) return sendNotBuilt(exchange);
    const isPage = extname(name) === "";
    const file = others.length === 0 ? build.get(`docs/${name}${isPage ? ".html" : ""}`) : undefined;
    if (!file || extname(name) === ".html") throw new AppError("NOT_FOUND", "There is no such page.");
    exchange.response.setHeader("Content-Security-Policy", contentSecurityPolicy);
    sendFile(exchange, file, "no-cache");
  };
}
