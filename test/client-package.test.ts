/** The client as others get it: packed, installed into an empty project, compiled there and run against a live server. */
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";
import { rolldown } from "rolldown";
import { afterAll, beforeAll, expect, test } from "vitest";
import { catalogue } from "../src/api.ts";
import { startServer, type TestServer } from "./support/server.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const bin = (name: string) => join(root, "node_modules", ".bin", name);
const slowMs = 240_000;

let directory: string;
let project: string;
let tarball: string;
let server: TestServer;

/** Runs a command; what it printed is in the error where it fails. */
async function run(command: string, args: string[], cwd = root, environment: Record<string, string> = {}): Promise<string> {
  try {
    const { stdout } = await promisify(execFile)(command, args, { cwd, env: { ...process.env, ...environment } });
    return stdout;
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string };
    throw new Error(`${command} ${args.join(" ")} failed:\n${stdout}${stderr}`);
  }
}

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "keenchat-client-"));
  server = await startServer();
  await run("npm", ["pack", "--workspace", "@keenchat/client", "--pack-destination", directory]);
  tarball = join(directory, readdirSync(directory).find((name) => name.endsWith(".tgz")) ?? "");
  project = join(directory, "project");
  mkdirSync(project);
  writeFileSync(join(project, "package.json"), JSON.stringify({ name: "project", private: true, type: "module" }));
  await run("npm", ["install", "--no-audit", "--no-fund", "--prefer-offline", tarball], project);
}, slowMs);

afterAll(async () => {
  await server?.close();
  rmSync(directory, { recursive: true, force: true });
});

/** Compiles files of the project strictly; resolves with the compiler's complaints. */
async function compile(files: Record<string, string>, options = ["--skipLibCheck"]): Promise<string> {
  for (const [name, source] of Object.entries(files)) writeFileSync(join(project, name), source);
  const flags = ["--strict", "--exactOptionalPropertyTypes", "--target", "es2022", "--module", "nodenext", ...options];
  return run(bin("tsc"), [...flags, ...Object.keys(files)], project).then(
    () => "",
    (error: Error) => error.message,
  );
}

const conversation = `
import { createKeenchatClient, KeenchatError, type Message } from "@keenchat/client";

const url = process.argv[2]!;
declare const process: { argv: string[] };

const ann = createKeenchatClient({ url });
await ann.user.post({ username: "ann", password: "correct horse" });
await ann.auth.login({ username: "ann", password: "correct horse" });

const ben = createKeenchatClient({ url });
for await (const event of ben.events({ channel_id: [1] })) {
  if (event.event === "ready") await ann.message.post({ channel_id: 1, message_text: "hello" });
  if (event.event === "post message") {
    const message: Message = event.data;
    console.log(message.message_text);
    break;
  }
}
const error = await ben.channel.get({ id: 99 }).catch((reason: unknown) => reason);
if (error instanceof KeenchatError) console.log(error.code);
await ann.auth.logout();
`;

test("the package passes publint and attw, whichever way its types are looked for", { timeout: slowMs }, async () => {
  await run(bin("publint"), [tarball, "--strict"]);
  await run(bin("attw"), [tarball, "--ignore-rules", "cjs-resolves-to-esm"]);
});

test("its types are a few kilobytes and import nothing of the server, nor of anybody else", () => {
  const dist = join(project, "node_modules", "@keenchat", "client", "dist");
  const declarations = readdirSync(dist).filter((name) => name.endsWith(".d.ts"));
  const text = declarations.map((name) => readFileSync(join(dist, name), "utf8")).join("\n");
  const imported = [...text.matchAll(/(?:from|import\()\s*"([^"]+)"/g)].map(([, name]) => name ?? "");
  expect(imported.filter((name) => !name.startsWith("./") && name !== "react")).toEqual([]);
  expect(text).not.toMatch(/\.\.\/|@trpc|mikro|zod/i);
  expect(text.length).toBeLessThan(48_000);
});

test("its API reference names all that its entries export, every event and every call", async () => {
  const reference = readFileSync(join(project, "node_modules", "@keenchat", "client", "dist", "API.md"), "utf8");
  const headings = [...reference.matchAll(/^### (.+)$/gm)].map(([, name]) => name);
  const entries = [await import("../client/src/client.ts"), await import("../client/src/react.ts")];
  expect(headings).toEqual(expect.arrayContaining(entries.flatMap((entry) => Object.keys(entry))));
  expect(headings).toEqual(expect.arrayContaining(["KeenchatClient", "Messages", "SessionState"]));
  for (const { name } of catalogue) expect(reference).toContain(`"${name}"`);
  expect(reference).toContain("startTyping: (");
  expect(reference).not.toContain("Owns");
});

test("an empty TypeScript project compiles it and talks to a live server", { timeout: slowMs }, async () => {
  expect(await compile({ "conversation.ts": conversation }, [])).toBe("");
  const printed = await run(process.execPath, ["conversation.js", server.restUrl], project);
  expect(printed).toBe("hello\nNOT_FOUND\n");
});

/** A switch over some events that leaves none over. */
const handle = (cases: string[]) => `
import type { KeenchatEvent } from "@keenchat/client";
export function handle(event: KeenchatEvent): string {
  switch (event.event) {
    ${cases.map((name) => `case ${JSON.stringify(name)}: return JSON.stringify(event.data);`).join("\n")}
    default: { const nothing: never = event; return nothing; }
  }
}`;

const wrong = `
import { createKeenchatClient } from "@keenchat/client";
const keenchat = createKeenchatClient({ url: "" });
keenchat.message.shout({});
keenchat.message.post({ channel_id: "1", message_text: "" });`;

test("what is wrong does not compile: an unknown call, a wrong input, a switch that leaves out an event", { timeout: slowMs }, async () => {
  const names = catalogue.map(({ name }) => name);
  const complaints = await compile({ "wrong.ts": wrong, "all.ts": handle(names), "but-one.ts": handle(names.slice(1)) });
  expect(complaints).toMatch(/wrong\.ts\(4,.*'shout'/);
  expect(complaints).toMatch(/wrong\.ts\(5,.*'string' is not assignable to type 'number'/);
  expect(complaints).toMatch(/but-one\.ts.*not assignable to type 'never'/);
  expect(complaints).not.toMatch(/^all\.ts/m);
});

test("the types written out for the package are those of the server", { timeout: slowMs }, async () => {
  const directory = mkdtempSync(join(root, "client", "dist", "types-"));
  const file = join(directory, "same.ts");
  writeFileSync(
    file,
    `import type * as Inferred from "../../src/wire.ts";
    import type * as Written from "../wire.d.ts";
    type Both<One, Other> = [One] extends [Other] ? ([Other] extends [One] ? true : "the server has more") : "the package has more";
    type Same<Name extends keyof Inferred.Calls> = { [Verb in keyof Inferred.Calls[Name]]: Verb extends keyof Written.Calls[Name] ? Both<Inferred.Calls[Name][Verb], Written.Calls[Name][Verb]> : "missing" };
    type AllTrue<Nouns> = { [Noun in keyof Nouns]: { [Verb in keyof Nouns[Noun]]: true } };
    declare const calls: { [Noun in keyof Inferred.Calls]: Same<Noun> };
    export const sameCalls: AllTrue<Inferred.Calls> = calls;
    export const sameNouns: Both<keyof Inferred.Calls, keyof Written.Calls> = true;
    export const sameEvents: Both<Inferred.KeenchatEvent, Written.KeenchatEvent> = true;
    export const sameCodes: Both<Inferred.ErrorCode, Written.ErrorCode> = true;`,
  );
  const flags = ["--ignoreConfig", "--noEmit", "--strict", "--skipLibCheck", "--target", "es2024", "--lib", "es2024,esnext.disposable"];
  try {
    await run(bin("tsc"), [...flags, "--module", "nodenext", "--types", "node", "--allowImportingTsExtensions", file]);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test("in a browser it weighs at most 15 kB, with everything it needs", { timeout: slowMs }, async () => {
  for (const [entry, source] of Object.entries({
    client: `export * from "@keenchat/client";`,
    react: `export * from "@keenchat/client"; export * from "@keenchat/client/react";`,
  })) {
    writeFileSync(join(project, `${entry}-entry.js`), source);
    const bundle = await rolldown({ input: join(project, `${entry}-entry.js`), platform: "browser", external: ["react"] });
    const { output } = await bundle.generate({ minify: true });
    expect(output.flatMap((chunk) => ("imports" in chunk ? chunk.imports : [])).filter((name) => name !== "react")).toEqual([]);
    const code = output.map((chunk) => ("code" in chunk ? chunk.code : "")).join("");
    expect(gzipSync(code).length, entry).toBeLessThanOrEqual(15 * 1_024);
    expect(code).not.toMatch(/node:/);
  }
});

test("the code in its README runs", { timeout: slowMs }, async () => {
  const readme = readFileSync(join(root, "client", "README.md"), "utf8");
  const blocks = (language: string) =>
    [...readme.matchAll(new RegExp(`\`\`\`${language}\n([^]*?)\`\`\``, "g"))].map(([, code]) => code ?? "");
  const program = blocks("ts").join("\n").replaceAll("http://localhost:5000", server.restUrl).replaceAll('"ann"', '"reader"');
  expect(await compile({ "readme.ts": program })).toBe("");
  const printed = await run(process.execPath, ["readme.js"], project);
  expect(printed.split("\n").filter((line) => ["Hello!", "BAD_REQUEST 400", "true"].includes(line))).toEqual([
    "Hello!",
    "BAD_REQUEST 400",
    "true",
  ]);

  mkdirSync(join(project, "node_modules", "@types"), { recursive: true });
  for (const name of ["react", "csstype"]) {
    const [from, to] = name === "react" ? ["@types/react", "@types/react"] : [name, name];
    symlinkSync(join(root, "node_modules", from), join(project, "node_modules", to));
  }
  expect(await compile({ "readme-react.tsx": blocks("tsx").join("\n") }, ["--skipLibCheck", "--jsx", "react-jsx"])).toBe("");
});
