/** The client as others get it: packed, installed into an empty project, compiled there and run against a live server. */
import { execFile } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
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
    `import type { AnyRouter, inferRouterInputs, inferRouterOutputs } from "@trpc/server";
    import type * as Inferred from "../../src/wire.ts";
    import type * as Written from "../wire.d.ts";
    type Both<One, Other> = [One] extends [Other] ? ([Other] extends [One] ? true : "the server has more") : "the package has more";
    type Same<Name extends keyof Inferred.Calls> = { [Verb in keyof Inferred.Calls[Name]]: Verb extends keyof Written.Calls[Name] ? Both<Inferred.Calls[Name][Verb], Written.Calls[Name][Verb]> : "missing" };
    type AllTrue<Nouns> = { [Noun in keyof Nouns]: { [Verb in keyof Nouns[Noun]]: true } };
    declare const calls: { [Noun in keyof Inferred.Calls]: Same<Noun> };
    export const sameCalls: AllTrue<Inferred.Calls> = calls;
    export const sameNouns: Both<keyof Inferred.Calls, keyof Written.Calls> = true;
    export const sameEvents: Both<Inferred.KeenchatEvent, Written.KeenchatEvent> = true;
    export const sameCodes: Both<Inferred.ErrorCode, Written.ErrorCode> = true;
    type In<Router extends AnyRouter> = inferRouterInputs<Router>;
    type Out<Router extends AnyRouter> = inferRouterOutputs<Router>;
    export const sameKinds: Both<Kinds<Inferred.AppRouter>, Kinds<Written.AppRouter>> = true;
    type Kinds<Router extends AnyRouter> = { [Noun in keyof Router["_def"]["record"]]: { [Verb in keyof Router["_def"]["record"][Noun]]: Router["_def"]["record"][Noun][Verb] extends { _def: { type: infer Type } } ? Type : Router["_def"]["record"][Noun][Verb] extends { type: infer Type } ? Type : never } };
    export const sameOutputs: Both<Out<Inferred.AppRouter>["message"], Out<Written.AppRouter>["message"]> = true;
    export const sameInputs: Both<In<Inferred.AppRouter>["message"], In<Written.AppRouter>["message"]> = true;`,
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
    const bundle = await rolldown({
      input: join(project, `${entry}-entry.js`),
      platform: "browser",
      external: ["react"],
      checks: { moduleLevelDirective: false },
    });
    const { output } = await bundle.generate({ minify: true });
    expect(output.flatMap((chunk) => ("imports" in chunk ? chunk.imports : [])).filter((name) => name !== "react")).toEqual([]);
    const code = output.map((chunk) => ("code" in chunk ? chunk.code : "")).join("");
    expect(gzipSync(code).length, entry).toBeLessThanOrEqual(15 * 1_024);
    expect(code).not.toMatch(/node:/);
  }
});

/** Makes packages of this repository those of the project: `react` is what React 18 brings. */
function provide(names: Record<string, string>): void {
  for (const [name, source] of Object.entries(names)) {
    const target = join(project, "node_modules", name);
    mkdirSync(dirname(target), { recursive: true });
    rmSync(target, { recursive: true, force: true });
    cpSync(join(root, source), target, { recursive: true });
  }
}

const readme = readFileSync(join(root, "client", "README.md"), "utf8");
const blocks = (language: string) =>
  [...readme.matchAll(new RegExp(`\`\`\`${language}\n([^]*?)\`\`\``, "g"))].map(([, code]) => code ?? "");
const atServer = (code: string) =>
  code.replaceAll("http://localhost:5000", server.restUrl).replaceAll("ws://localhost:5000", server.restUrl.replace("http", "ws"));

test("the code in its README runs, that for tRPC's own client among it", { timeout: slowMs }, async () => {
  provide({ "@trpc/client": "node_modules/@trpc/client", "@trpc/server": "node_modules/@trpc/server" });
  const program = atServer(blocks("ts").join("\n")).replaceAll('"ann"', '"reader"');
  expect(await compile({ "readme.ts": program })).toBe("");
  const lines = (await run(process.execPath, ["readme.js"], project)).split("\n");
  for (const line of ["Hello!", "BAD_REQUEST 400", "true", "General", "stock: ready"]) expect(lines).toContain(line);
});

test("what is wrong does not compile in tRPC's own client either", { timeout: slowMs }, async () => {
  provide({ "@trpc/client": "node_modules/@trpc/client", "@trpc/server": "node_modules/@trpc/server" });
  const source = `
import type { AppRouter } from "@keenchat/client";
import { createTRPCClient } from "@trpc/client";
const trpc = createTRPCClient<AppRouter>({ links: [] });
trpc.channel.list.mutate({});
trpc.message.post.mutate({ channel_id: "1", message_text: "" });
trpc.channel.get.query({ id: 1 }).then(({ title }) => title.shout());`;
  const complaints = await compile({ "stock.ts": source });
  for (const line of [5, 6, 7]) expect(complaints).toMatch(new RegExp(`stock\\.ts\\(${line},`));
});

test("its React code compiles and runs in React 18, and TanStack Query takes its router", { timeout: slowMs }, async () => {
  const consumer = "test/consumer/node_modules";
  provide({
    react: `${consumer}/react`,
    "react-dom": `${consumer}/react-dom`,
    scheduler: `${consumer}/scheduler`,
    "@types/react": `${consumer}/@types/react`,
    "@types/prop-types": "node_modules/@types/prop-types",
    csstype: "node_modules/csstype",
    "@trpc": "node_modules/@trpc",
    "@tanstack": "node_modules/@tanstack",
  });
  const [chat = "", tanstack = ""] = blocks("tsx");
  const files = {
    "chat.tsx": chat.replace("createKeenchatClient();", 'createKeenchatClient({ url: "http://127.0.0.1:9" });'),
    "tanstack.tsx": atServer(tanstack),
  };
  expect(await compile(files, ["--skipLibCheck", "--jsx", "react-jsx"])).toBe("");
  writeFileSync(
    join(project, "react-18.js"),
    `
import { Window } from ${JSON.stringify(import.meta.resolve("happy-dom"))};
import { createKeenchatClient } from "@keenchat/client";
const window = new Window();
Object.assign(globalThis, { window, document: window.document });
const { createElement, StrictMode, version } = await import("react");
const { createRoot } = await import("react-dom/client");
const { App } = await import("./chat.js");
const { Sidebar } = await import("./tanstack.js");
const client = createKeenchatClient({ url: process.argv[2] });
await client.user.post({ username: "eighteen", password: "correct horse" });
await client.auth.login({ username: "eighteen", password: "correct horse" });
const page = document.body.appendChild(document.createElement("div"));
createRoot(page).render(createElement(StrictMode, null, createElement(App, { client }), createElement(Sidebar)));
async function find(what, holds) {
  for (const end = performance.now() + 20_000; performance.now() < end; await new Promise((resolve) => setTimeout(resolve, 20))) if (holds()) return;
  throw new Error("no " + what + " in " + page.innerHTML);
}
await find("name", () => page.querySelector("h1")?.textContent === "eighteen");
const input = page.querySelector("input");
Object.getOwnPropertyDescriptor(Object.getPrototypeOf(input), "value").set.call(input, "typed in React 18");
input.dispatchEvent(new window.Event("input", { bubbles: true }));
page.querySelector("form").dispatchEvent(new window.Event("submit", { bubbles: true, cancelable: true }));
await find("message", () => page.textContent.includes("typed in React 18"));
await find("titles", () => page.textContent.includes("General"));
console.log(version.split(".")[0], (await client.message.list({ channel_id: 1 })).at(-1).message_text);
process.exit();
`,
  );
  expect(await run(process.execPath, ["react-18.js", server.restUrl], project)).toBe("18 typed in React 18\n");
});

test("the React entry begins with the directive that makes it the browser's", () => {
  expect(readFileSync(join(project, "node_modules", "@keenchat", "client", "dist", "react.js"), "utf8")).toMatch(/^"use client";/);
});

test("TypeScript 5.0 reads its types, by the resolution of its time and by that before", { timeout: slowMs }, async () => {
  const old = join(root, "test", "consumer", "node_modules", ".bin", "tsc");
  writeFileSync(join(project, "old.ts"), conversation);
  const flags = ["--noEmit", "--strict", "--target", "es2022", "--lib", "es2022,dom", "old.ts"];
  await run(old, ["--module", "nodenext", ...flags], project);
  await run(old, ["--module", "es2022", "--moduleResolution", "node", ...flags], project);
});

test("CommonJS gets it with require, and a tool that knows no exports finds both entries", { timeout: slowMs }, async () => {
  writeFileSync(join(project, "common.cjs"), 'console.log(typeof require("@keenchat/client").createKeenchatClient);');
  expect(await run(process.execPath, ["common.cjs"], project)).toBe("function\n");
  const packed = join(project, "node_modules", "@keenchat", "client");
  for (const entry of [".", "react"]) {
    const { main, types } = JSON.parse(readFileSync(join(packed, entry, "package.json"), "utf8"));
    for (const file of [main, types]) expect(existsSync(join(packed, entry, file)), file).toBe(true);
  }
});

test("it runs without AbortSignal.any and timeout, without a signal's reason, and without crypto", { timeout: slowMs }, async () => {
  writeFileSync(
    join(project, "native.js"),
    `
delete AbortSignal.any;
delete AbortSignal.timeout;
delete AbortSignal.prototype.throwIfAborted;
Object.defineProperty(AbortSignal.prototype, "reason", { value: undefined });
delete globalThis.crypto;
if (globalThis.crypto || AbortSignal.any || AbortSignal.timeout || AbortSignal.abort().reason) throw new Error("They are still there.");
// What React Native's bundler takes.
const { createKeenchatClient, createClientMessageId } = await import("./node_modules/@keenchat/client/dist/client.js");
const client = createKeenchatClient({ url: process.argv[2] });
await client.user.post({ username: "native", password: "correct horse" });
await client.auth.login({ username: "native", password: "correct horse" });
for await (const event of client.events({ channel_id: [2] })) {
  if (event.event === "ready") await client.message.post({ channel_id: 2, message_text: "from a phone" });
  if (event.event === "post message") break;
}
const controller = new AbortController();
const call = client.channel.list({}, { signal: controller.signal }).catch(({ name }) => name);
controller.abort();
console.log(await call, new Set(Array.from({ length: 1_000 }, createClientMessageId)).size);
`,
  );
  expect(await run(process.execPath, ["native.js", server.restUrl], project)).toBe("AbortError 1000\n");
});
