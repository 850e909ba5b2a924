/** Owns the web app as it is served: its files in memory, compressed when it was built, and who hears that it changed. */
import { readdir, readFile, stat } from "node:fs/promises";
import { extname, join, relative, sep } from "node:path";
import type { Clock } from "../../core/clock.ts";
import { type Exchange, methodNotAllowed, send, sendOptions } from "../http/http.ts";
import { type File, sendFile, toFile } from "./file.ts";

export interface WebOptions {
  /** Where the build is; it need not be there. */
  readonly directory: string;
  readonly clock: Clock;
  readonly signUp: "open" | "closed";
  /** Another build is served from now on. */
  readonly onChange: () => void;
  readonly onError: (error: unknown) => void;
}

export interface Web {
  /** Answers a request for one of the app's files; false where it is for something else. */
  answer(exchange: Exchange): boolean;
  close(): void;
}

type Files = ReadonlyMap<string, File>;

const watchMs = 2_000;
const page = "index.html";
const contentTypes: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
  ".woff2": "font/woff2",
};
/** How the build writes a compressed copy beside a file, best first. */
const compressed = [
  ["br", ".br"],
  ["gzip", ".gz"],
] as const;

/** Nothing inline, nothing from another host, no HTML made of text: what a message says can only ever be shown. */
const contentSecurityPolicy = [
  "default-src 'none'",
  ...["script-src", "style-src", "font-src", "img-src", "connect-src"].map((kind) => `${kind} 'self'`),
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join("; ");

const notBuilt = `<!doctype html><html lang="en"><meta charset="utf-8"><title>Keenchat</title>
<h1>Keenchat is running; its web app is not built.</h1>
<p>Run <code>npm run build -w web</code> where the server is installed and load this page again. The API is here already.</p></html>
`;

/** Read by the app's door, before anybody is signed in. */
const signUpClosed = '<meta name="sign-up" content="closed" />';

async function readBuild({ directory, signUp }: WebOptions): Promise<Files> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const contents = new Map<string, Buffer>();
  for (const path of paths) contents.set(relative(directory, path).split(sep).join("/"), await readFile(path));
  const files = new Map<string, File>();
  for (const [name, content] of contents) {
    const contentType = contentTypes[extname(name)];
    if (contentType === undefined) continue;
    const encodings = compressed.flatMap(([encoding, suffix]) => {
      const copy = contents.get(name + suffix);
      return copy ? [[encoding, copy] as const] : [];
    });
    files.set(name, toFile(content, contentType, encodings));
  }
  const html = contents.get(page);
  // The compressed copies say nothing of it, and a page is small.
  if (html && signUp === "closed") {
    const closed = html.toString().replace("</title>", `</title>${signUpClosed}`);
    files.set(page, toFile(Buffer.from(closed), contentTypes[extname(page)] ?? "", []));
  }
  return files;
}

function sendFromBuild(exchange: Exchange, name: string, file: File): void {
  if (name === page) {
    exchange.response.setHeader("Content-Security-Policy", contentSecurityPolicy);
    exchange.response.setHeader("Cross-Origin-Opener-Policy", "same-origin");
  }
  // A hashed name never means anything else; the page itself is asked for each time.
  sendFile(exchange, file, name === page ? "no-cache" : "public, max-age=31536000, immutable");
}

/** Reads the build, and reads it again whenever its page has become another. */
export async function openWeb(options: WebOptions): Promise<Web> {
  const { directory, clock, onChange, onError } = options;
  let files: Files = new Map();
  let seen = "";

  /** The page is written last, so that a new one means a whole new build; until then the old one is served from memory. */
  async function refresh(): Promise<void> {
    const stats = await stat(join(directory, page)).catch(() => undefined);
    const now = stats ? `${stats.mtimeMs} ${stats.size} ${stats.ino}` : seen;
    if (now === seen) return;
    const before = files.get(page)?.etag;
    files = await readBuild(options);
    seen = now;
    if (before !== undefined && before !== files.get(page)?.etag) onChange();
  }

  let reading = refresh().catch(onError);
  await reading;
  const stopWatching = clock.every(watchMs, () => {
    reading = reading.then(refresh).catch(onError);
  });

  return {
    answer(exchange) {
      const { segments } = exchange.target;
      const name = segments.length === 0 ? page : segments.join("/");
      const file = files.get(name);
      if (!file && segments.length > 0) return false;
      exchange.operation = "web";
      const { method } = exchange.request;
      if (method === "OPTIONS") sendOptions(exchange, ["GET"]);
      else if (method !== "GET" && method !== "HEAD") throw methodNotAllowed(exchange.response, ["GET"]);
      else if (file) sendFromBuild(exchange, name, file);
      else send(exchange.response, 404, notBuilt, "text/html; charset=utf-8");
      return true;
    },
    close: stopWatching,
  };
}
