/** Owns the files that web/build.js writes: read into memory with their compressed copies, and read again after each new build. */
import { readdir, readFile, stat } from "node:fs/promises";
import { extname, join, relative, sep } from "node:path";
import { gzipSync } from "node:zlib";
import type { Clock } from "../../core/clock.ts";
import { type File, toFile } from "./file.ts";

/** The page of the web app. It is written last, so a new page means that the whole build is there. */
export const page = "index.html";

export interface BuildOptions {
  /** The directory of the build, which may be missing. */
  readonly directory: string;
  readonly clock: Clock;
  /** Changes a page before it is served. */
  readonly adaptPage: (name: string, html: string) => string;
  /** The page of the web app is another one from now on. */
  readonly onChange: () => void;
  readonly onError: (error: unknown) => void;
}

export interface Build {
  /** The file of this name, such as `docs/start.html`. */
  get(name: string): File | undefined;
  close(): void;
}

const watchMs = 2_000;
const contentTypes: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
  ".woff2": "font/woff2",
};
/** The suffixes of compressed copies, best encoding first. */
const compressed = [
  ["br", ".br"],
  ["gzip", ".gz"],
] as const;

async function readBuild({ directory, adaptPage }: BuildOptions): Promise<ReadonlyMap<string, File>> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const contents = new Map<string, Buffer>();
  for (const path of paths) contents.set(relative(directory, path).split(sep).join("/"), await readFile(path));
  const files = new Map<string, File>();
  for (const [name, content] of contents) {
    const contentType = contentTypes[extname(name)];
    if (contentType === undefined) continue;
    const copies = compressed.flatMap(([encoding, suffix]) => {
      const copy = contents.get(name + suffix);
      return copy ? [[encoding, copy] as const] : [];
    });
    const html = extname(name) === ".html" ? content.toString() : "";
    const adapted = adaptPage(name, html);
    if (adapted === html) files.set(name, toFile(content, contentType, copies));
    // The copies hold the original page.
    else files.set(name, toFile(Buffer.from(adapted), contentType, [["gzip", gzipSync(adapted)]]));
  }
  return files;
}

/** Reads the build now, and again whenever the page of the web app has changed. */
export async function openBuild(options: BuildOptions): Promise<Build> {
  const { directory, clock, onChange, onError } = options;
  let files: ReadonlyMap<string, File> = new Map();
  let seen = "";

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
  return { get: (name) => files.get(name), close: stopWatching };
}
