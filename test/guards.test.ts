/** Each guard of `npm run check` is seen to pass on the repository as it is, and to fail on a fault planted in a copy of it. */
import { execFileSync } from "node:child_process";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { describe, expect, test } from "vitest";
import { copyRepository, root } from "./support/copy.ts";

const timeout = 180_000;

// .ci/run has it as a step of its own.
test.skipIf(process.env["CI"])("every guard passes on the repository as it is", { timeout }, () => {
  using copy = copyRepository();
  expect(copy.run("check")).toMatchObject({ status: 0 });
});

test("the style guard refuses a line that is not formatted", { timeout }, () => {
  using copy = copyRepository();
  copy.write("src/core/planted.ts", "export const planted   = 1\n");
  const { status, output } = copy.run("check:style");
  expect(status).not.toBe(0);
  expect(output).toContain("src/core/planted.ts format");
});

test("the style guard refuses what its linter calls an error", { timeout }, () => {
  using copy = copyRepository();
  copy.write("src/core/planted.ts", "export const planted: any = 1;\n");
  const { status, output } = copy.run("check:style");
  expect(status).not.toBe(0);
  expect(output).toContain("lint/suspicious/noExplicitAny");
});

test("the guard of words names each place, and reads no other's text", { timeout }, () => {
  using copy = copyRepository();
  const words = [
    "Who" + "ever",
    "an" + "ew",
    "is no " + "more.",
    "none of o" + "urs",
    "hears o" + "f",
    "all the sa" + "me",
    "giv" + "en up",
  ];
  const planted = [
    "src/core/planted.ts",
    "client/src/planted.ts",
    "web/src/planted.css",
    "docs/planted.md",
    "planted.md",
    "test/planted.md",
  ];
  for (const file of planted) copy.write(file, words.map((word) => `/* A reader ${word} */`).join("\n"));
  copy.write("src/core/fine.ts", "/* Stops are no more than starts; answered anewly, with hearsay. */\n");
  const { status, output } = copy.run("check:words");
  expect(status).not.toBe(0);
  const expected = planted.flatMap((file) => words.map((word, index) => `${file}:${index + 1}: "${word.replace(/^none |\.$/g, "")}"`));
  const named = output
    .trim()
    .split("\n")
    .map((line) => line.slice(0, line.indexOf(";")));
  expect(named.sort()).toEqual(expected.sort());
});

test("the type guard refuses a value of another type", { timeout }, () => {
  using copy = copyRepository();
  copy.write("src/core/planted.ts", 'export const planted: number = "text";\n');
  const { status, output } = copy.run("check:types");
  expect(status).not.toBe(0);
  expect(output).toContain("src/core/planted.ts(1,14): error TS2322");
});

test("the type guard refuses syntax that Node cannot strip", { timeout }, () => {
  using copy = copyRepository();
  copy.write("src/core/planted.ts", "export enum Planted {\n  One,\n}\n");
  const { status, output } = copy.run("check:types");
  expect(status).not.toBe(0);
  expect(output).toContain("src/core/planted.ts(1,13): error TS1294");
});

/** An import that the arrows of src/README.md do not allow: where it stands, what it names, which rule says so. */
const forbiddenImports = [
  ["src/server.ts", "./transports/rest/rest.ts", "server-imports"],
  ["src/api.ts", "./transports/rest/rest.ts", "api-imports"],
  ["src/config.ts", "./core/clock.ts", "config-imports"],
  ["src/core/planted.ts", "../features/user/user.queries.ts", "core-imports"],
  ["src/core/planted.ts", "../config.ts", "core-imports"],
  ["src/features/user/planted.ts", "../channel/channel.router.ts", "features-imports"],
  ["src/features/user/planted.ts", "../../transports/http/gate.ts", "features-imports"],
  ["src/features/user/planted.ts", "../../db/writer.ts", "features-imports"],
  ["src/features/user/planted.ts", "../../api.ts", "features-imports"],
  ["src/transports/planted.ts", "../features/user/user.queries.ts", "transports-imports"],
  ["src/transports/planted.ts", "../db/writer.ts", "transports-imports"],
  ["src/transports/planted.ts", "../keenchat.ts", "transports-imports"],
  ["src/transports/calls/planted.ts", "../http/gate.ts", "transports-calls-imports"],
  ["src/transports/http/planted.ts", "../calls/procedures.ts", "transports-http-imports"],
  ["src/transports/socket/planted.ts", "../trpc/trpc-ws.ts", "transports-socket-imports"],
  ["src/transports/rest/planted.ts", "../shim/shim.ts", "transports-rest-imports"],
  ["src/transports/trpc/planted.ts", "../rest/rest.ts", "transports-trpc-imports"],
  ["src/transports/shim/planted.ts", "../rest/routes.ts", "transports-shim-imports"],
  ["src/transports/pages/planted.ts", "../trpc/trpc-http.ts", "transports-pages-imports"],
  ["src/transports/rest/planted.ts", "../../features/user/user.queries.ts", "transports-rest-imports"],
  ["src/db/planted.ts", "../features/user/user.queries.ts", "db-imports"],
  ["src/db/planted.ts", "../transports/http/gate.ts", "db-imports"],
  ["src/bus/planted.ts", "../db/writer.ts", "bus-imports"],
  ["src/utils/planted.ts", "../core/clock.ts", "no-room-without-a-rule"],
  ["src/core/planted-user.ts", "./index.ts", "no-barrels"],
  ["client/src/planted.ts", "../../src/core/clock.ts", "client-imports"],
  ["client/src/planted.ts", "../../src/api.ts", "client-imports-types-only"],
  ["web/src/planted.ts", "../../src/api.ts", "web-imports"],
  ["docs/build/planted.ts", "../../client/src/client.ts", "docs-imports"],
  ["src/core/planted-here.ts", "./planted-there.ts", "no-cycles"],
] as const;

describe("the boundary guard", { timeout }, () => {
  using copy = copyRepository();
  const planted = Map.groupBy(forbiddenImports, ([file]) => file);
  for (const [file, imports] of planted) {
    const before = /^src\/(server|api|config)\.ts$/.test(file) ? readFileSync(join(root, file), "utf8") : "export const planted = 1;\n";
    copy.write(file, imports.map(([, specifier]) => `import "${specifier}";\n`).join("") + before);
  }
  copy.write("src/core/index.ts", 'export * from "./clock.ts";\n');
  copy.write("src/core/planted-there.ts", 'import "./planted-here.ts";\n');
  copy.write("src/core/planted-alone.ts", "export const planted = 1;\n");
  const { status, output } = copy.run("check:boundaries");

  test("fails", () => expect(status).not.toBe(0));
  test.each(forbiddenImports)("refuses that %s imports %s", (file, specifier, rule) => {
    const target = join(file, "..", specifier);
    expect(output.replace(/\s+/g, " ")).toContain(`error ${rule}: ${file} → ${target}`);
  });
  test("refuses a module that nothing is tied to", () => expect(output).toContain("error no-orphans: src/core/planted-alone.ts"));
});

test("the guard against dead code names an unused file, export and package", { timeout }, () => {
  using copy = copyRepository();
  const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  copy.write("package.json", JSON.stringify({ ...manifest, dependencies: { ...manifest.dependencies, "left-alone": "1.0.0" } }));
  copy.write("src/core/planted.ts", "export const planted = 1;\n");
  copy.write("src/core/clock.ts", `${readFileSync(join(root, "src/core/clock.ts"), "utf8")}export const plantedExport = 1;\n`);
  const { status, output } = copy.run("check:unused");
  expect(status).not.toBe(0);
  expect(output).toMatch(/Unused files.*src\/core\/planted\.ts/s);
  expect(output).toMatch(/Unused dependencies.*left-alone/s);
  expect(output).toMatch(/Unused exports.*plantedExport +src\/core\/clock\.ts/s);
});

/** Paths of one machine and hosts of a package registry. Written so that the patterns do not match themselves. */
const unportable = String.raw`(^|[^A-Za-z0-9_.~/-])/(home|Users|root|work|farm)/[A-Za-z]|/tmp/[A-Za-z]|[r]egistry\.[a-z.]*(npmjs|yarnpkg)|[v]erdaccio`;

function unportableLines(directory: string): string {
  try {
    return execFileSync("git", ["grep", "--untracked", "-nIE", unportable, "--", "."], { cwd: directory, encoding: "utf8" });
  } catch (error) {
    // git grep ends with 1 where nothing matches.
    if ((error as { status?: number }).status === 1) return "";
    throw error;
  }
}

describe("the repository knows of no machine", () => {
  test("no file names a path of one machine or the host of a registry", () => expect(unportableLines(root)).toBe(""));

  test("and this is seen where one does", () => {
    using copy = copyRepository();
    execFileSync("git", ["init", "--quiet"], { cwd: copy.path });
    const faults = ["/ho" + "me/ann/keenchat", "/tm" + "p/keenchat", "https://reg" + "istry.npmjs.org/zod"];
    copy.write("planted.md", faults.join("\n"));
    expect(unportableLines(copy.path).trim().split("\n")).toHaveLength(faults.length);
  });
});

test("a published path never points to the host it was installed from", () => {
  expect(readFileSync(join(root, "package-lock.json"), "utf8")).not.toMatch(/"resolved": "http/);
});

const sources = globSync("src/**/*.ts", { cwd: root }).map((file) => readFileSync(join(root, file), "utf8"));

test("each text of an error is written once", () => {
  const texts = sources.flatMap((source) => [...source.matchAll(/AppError\(\s*"\w+",\s*(["'`].*?["'`])[,)]/g)].map(([, text]) => text));
  expect(texts.length).toBeGreaterThan(50);
  expect(texts.filter((text, index) => texts.indexOf(text) !== index)).toEqual([]);
});

test("no SQL renames a column: rows have the names of the wire", () => {
  expect(sources.join("\n").match(/ as "[a-z]+[A-Z]\w*"/g)).toBeNull();
});
