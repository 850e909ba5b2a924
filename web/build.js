// Builds the web app into web/dist and the docs into web/dist/docs if their inputs have changed since the last build
// (`--force`: in any case). It runs after `npm ci` and before `npm start`. A build that fails is a warning, because the
// API works without it. This file is JavaScript, so that an old Node can read it too.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

const web = fileURLToPath(new URL(".", import.meta.url));
const dist = join(web, "dist");
const stamp = join(dist, ".inputs");
const inputs = ["src", "index.html", "vite.config.ts", "build.js", "../client", "../docs", "../src", "../package-lock.json"];
const page = "index.html";

/** @param {string} path @returns {string[]} */
function filesOf(path) {
  if (!existsSync(path)) return [];
  if (!statSync(path).isDirectory()) return [path];
  return readdirSync(path)
    .sort()
    .flatMap((name) => filesOf(join(path, name)));
}

function hashInputs() {
  const hash = createHash("sha256");
  for (const path of inputs.flatMap((name) => filesOf(join(web, name)))) hash.update(path.slice(web.length)).update(readFileSync(path));
  return hash.digest("hex");
}

/** Readers see the old content or the new one, never a part. */
function replaceFile(path, content) {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(`${path}.new`, content);
  renameSync(`${path}.new`, path);
}

const brotli = (bytes) => brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length } });
const gzip = (bytes) => gzipSync(bytes, { level: 9 });

/** Writes a file after its compressed copies, so that a server that sees the file finds the copies too. */
function writeWithCopies({ path, content, copies }) {
  const bytes = Buffer.from(content);
  const written = Object.entries(copies).map(([suffix, compress]) => {
    replaceFile(path + suffix, compress(bytes));
    return path + suffix;
  });
  replaceFile(path, bytes);
  return [...written, path];
}

async function buildWebApp() {
  const { build } = await import("vite");
  const { output } = await build({ root: web, logLevel: "warn", build: { write: false } });
  return output.map((file) => ({
    path: join(dist, file.fileName),
    content: file.type === "chunk" ? file.code : file.source,
    copies: file.fileName.endsWith(".woff2") ? {} : { ".br": brotli, ".gz": gzip },
  }));
}

/** Without brotli, which takes seconds for the viewer of the REST page. */
async function buildDocs() {
  const { buildDocs } = await import("../docs/build/build.ts");
  return [...buildDocs()].map(([name, content]) => ({ path: join(dist, "docs", name), content, copies: { ".gz": gzip } }));
}

async function build() {
  const files = [...(await buildDocs()), ...(await buildWebApp())];
  // The page comes last: for the server a new page means that the build is complete.
  files.sort((a, b) => Number(a.path === join(dist, page)) - Number(b.path === join(dist, page)));
  const written = new Set(files.flatMap(writeWithCopies));
  for (const path of filesOf(dist)) if (!written.has(path)) rmSync(path);
}

try {
  const hash = hashInputs();
  const built = existsSync(stamp) ? readFileSync(stamp, "utf8") : undefined;
  if (built !== hash || process.argv.includes("--force")) {
    const start = Date.now();
    await build();
    writeFileSync(stamp, hash);
    console.log(`Built the web app and the docs in ${Date.now() - start} ms.`);
  }
} catch (error) {
  console.warn(`The web app and the docs could not be built; the server runs without them: ${error.message}`);
  if (process.env.CI) process.exitCode = 1;
}
