// Builds the web app into web/dist, if what it is made of has changed since the last time (`--force`: in any case).
// Runs after `npm ci` and before `npm start`; where it cannot, it says so and nothing else fails, as the server needs
// no web app. JavaScript, because an old Node may have to read it.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

const web = fileURLToPath(new URL(".", import.meta.url));
const dist = join(web, "dist");
const stamp = join(dist, ".inputs");
const inputs = ["src", "index.html", "vite.config.ts", "build.js", "../client", "../src", "../package-lock.json"];
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

/** A reader sees the old content or the new, never half of it. */
function replaceFile(path, content) {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(`${path}.new`, content);
  renameSync(`${path}.new`, path);
}

function writeWithCopies(path, content) {
  const bytes = Buffer.from(content);
  const written = [path];
  if (!path.endsWith(".woff2")) {
    replaceFile(`${path}.br`, brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length } }));
    replaceFile(`${path}.gz`, gzipSync(bytes, { level: 9 }));
    written.push(`${path}.br`, `${path}.gz`);
  }
  replaceFile(path, bytes);
  return written;
}

async function build() {
  const { build } = await import("vite");
  const { output } = await build({ root: web, logLevel: "warn", build: { write: false } });
  // The page comes last: the server takes a new page as the sign that the build is whole.
  const files = output
    .map((file) => ({ path: join(dist, file.fileName), content: file.type === "chunk" ? file.code : file.source }))
    .sort((a, b) => Number(a.path === join(dist, page)) - Number(b.path === join(dist, page)));
  const written = new Set(files.flatMap(({ path, content }) => writeWithCopies(path, content)));
  for (const path of filesOf(dist)) if (!written.has(path)) rmSync(path);
}

try {
  const hash = hashInputs();
  const built = existsSync(stamp) ? readFileSync(stamp, "utf8") : undefined;
  if (built !== hash || process.argv.includes("--force")) {
    const start = Date.now();
    await build();
    writeFileSync(stamp, hash);
    console.log(`Built the web app in ${Date.now() - start} ms.`);
  }
} catch (error) {
  console.warn(`The web app could not be built, the server runs without it: ${error.message}`);
  if (process.env.CI) process.exitCode = 1;
}
