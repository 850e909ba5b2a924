/** The client as others get it: packed, installed into an empty project, compiled there and run against a live server. */
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startServer, type TestServer } from "./support/server.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const bin = (name: string) => join(root, "node_modules", ".bin", name);
const slowMs = 120_000;

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

/** Compiles a file of the project as strictly as TypeScript can; resolves with the compiler's complaints. */
async function compile(name: string, source: string, options: string[] = []): Promise<string> {
  writeFileSync(join(project, `${name}.ts`), source);
  const flags = ["--strict", "--exactOptionalPropertyTypes", "--target", "es2022", "--module", "nodenext", ...options];
  return run(bin("tsc"), [...flags, `${name}.ts`], project).then(
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

test("the package passes publint and attw", { timeout: slowMs }, async () => {
  await run(bin("publint"), [tarball, "--strict"]);
  await run(bin("attw"), [tarball, "--profile", "esm-only"]);
});

test("its types are a few kilobytes and import nothing of the server, nor of anybody else", () => {
  const dist = join(project, "node_modules", "@keenchat", "client", "dist");
  const declarations = readdirSync(dist).filter((name) => name.endsWith(".d.ts"));
  const text = declarations.map((name) => readFileSync(join(dist, name), "utf8")).join("\n");
  const imported = [...text.matchAll(/(?:from|import\()\s*"([^"]+)"/g)].map(([, name]) => name ?? "");
  expect(imported.filter((name) => !name.startsWith("./") && name !== "react")).toEqual([]);
  expect(text).not.toMatch(/\.\.\/|trpc|mikro|zod/i);
  expect(text.length).toBeLessThan(40_000);
});

test("an empty TypeScript project compiles it and talks to a live server", { timeout: slowMs }, async () => {
  expect(await compile("conversation", conversation)).toBe("");
  const printed = await run(process.execPath, ["conversation.js", server.restUrl], project);
  expect(printed).toBe("hello\nNOT_FOUND\n");
});

test("a call that does not exist and an input that is wrong do not compile", { timeout: slowMs }, async () => {
  const complaints = await compile(
    "wrong",
    `import { createKeenchatClient } from "@keenchat/client";
    const keenchat = createKeenchatClient({ url: "" });
    keenchat.message.shout({});
    keenchat.message.post({ channel_id: "1", message_text: "" });`,
  );
  expect(complaints).toMatch(/wrong\.ts\(3,.*'shout'/);
  expect(complaints).toMatch(/wrong\.ts\(4,.*'string' is not assignable to type 'number'/);
});
