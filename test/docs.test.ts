/** The recipes of CONTRIBUTING.md, applied to a copy of the repository as written and used over the wires; the map in src/README.md. */
import { execFile } from "node:child_process";
import { once } from "node:events";
import { globSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { WebSocket } from "ws";
import { copyRepository, type RepositoryCopy, root } from "./support/copy.ts";
import { post, request, signUp } from "./support/http.ts";
import { readDocument } from "./support/markdown.ts";
import { type ServerProcess, startProcess } from "./support/process.ts";
import { Inbox } from "./support/wait.ts";

const timeout = 180_000;
const run = promisify(execFile);
const contributing = readDocument("CONTRIBUTING.md");

/** Puts a block where its first line says: a new file, or a place in one that is there. */
function apply(copy: RepositoryCopy, block: string): string {
  const end = block.indexOf("\n");
  const [, file = "", how, anchor = ""] = /^\/\/ (\S+?)(?:: (before|after|instead of) "(.+)")?$/.exec(block.slice(0, end)) ?? [];
  const code = block.slice(end + 1);
  if (how === undefined) {
    copy.write(file, code);
    return file;
  }
  const lines = readFileSync(join(copy.path, file), "utf8").split("\n");
  const at = lines.findIndex((line) => line.trim().startsWith(anchor));
  if (at === -1) throw new Error(`${file} has no line ${anchor}`);
  lines.splice(how === "after" ? at + 1 : at, how === "instead of" ? 1 : 0, code.trimEnd());
  copy.write(file, lines.join("\n"));
  return file;
}

let copy: RepositoryCopy;
let touched: string[];
let server: ServerProcess;
let urls: { restUrl: string; wsUrl: string };
beforeAll(async () => {
  copy = copyRepository();
  touched = contributing.code("ts").map((block) => apply(copy, block));
  const [, migration = ""] = contributing.code("sh");
  await run("bash", ["-euc", migration], { cwd: copy.path });
  server = startProcess({}, { command: [process.execPath, join(copy.path, "server.js")], directory: copy.path });
  urls = await server.ready();
}, timeout);
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  copy[Symbol.dispose]();
});

/** Not by `request`: that one holds answers against the document of the repository as it is. */
async function eventsAfter(cursor: string): Promise<{ event: string; data: unknown }[]> {
  const response = await fetch(`${urls.restUrl}/event?cursor=${cursor}`);
  return ((await response.json()) as { events: { event: string; data: unknown }[] }).events;
}

test("a procedure with its event touches one file", () => {
  const wave = contributing.code("ts").slice(0, 3);
  expect(wave.join("")).toContain("wave: signedInProcedure");
  expect(new Set(touched.slice(0, wave.length))).toEqual(new Set(["src/features/channel/channel.router.ts"]));
});

test("what the recipes wrote passes style, types and boundaries", { timeout }, () => {
  // The migration is the ORM's own style until somebody has read it.
  expect(copy.run("check:style").output).not.toMatch(/src\/(features|api|db\/entities)\S* (lint|format)/);
  expect(copy.run("check:types")).toEqual({ status: 0, output: "" });
  expect(copy.run("check:boundaries")).toMatchObject({ status: 0 });
});

test("the procedure is there on REST and tRPC, and its event on every wire", { timeout }, async () => {
  const { id, token } = await signUp(urls, "ann");
  const { body: before } = await request(urls, "GET", "/event");
  const socket = new WebSocket(urls.wsUrl);
  const frames = new Inbox<string>();
  socket.on("message", (data) => frames.push(String(data)));
  await once(socket, "open");
  const stream = await fetch(`${urls.restUrl}/event?cursor=${before.cursor}`, { headers: { accept: "text/event-stream" } });

  expect((await request(urls, "POST", "/channel/1/wave", { token })).status).toBe(204);
  expect((await request(urls, "POST", "/channel/99/wave", { token })).status).toBe(404);
  expect((await request(urls, "POST", "/channel/1/wave")).status).toBe(401);
  expect((await request(urls, "POST", "/trpc/channel.wave", { token, body: { id: 2 } })).status).toBe(200);

  const waves = [1, 2].map((channelId) => ({ event: "wave", data: { channel_id: channelId, user_id: id } }));
  expect(await eventsAfter(before.cursor)).toMatchObject(waves);
  const heard = await frames.count("wave", 2, (frame) => frame.includes('"wave"'), 30_000);
  expect(heard.map((frame) => JSON.parse(frame))).toMatchObject(waves);
  let text = "";
  for await (const chunk of stream.body ?? []) {
    text += Buffer.from(chunk).toString();
    if (text.split("event: wave\n").length === 3) break;
  }
  socket.close();
});

test("the event of the second recipe tells of what an admin removed, and of nothing else", { timeout }, async () => {
  const author = await signUp(urls, "bob");
  const { body: login } = await request(urls, "POST", "/auth", { body: { username: "ann", password: "correct horse" } });
  const first = await post(urls, author.token, 1, "removed by its author");
  const second = await post(urls, author.token, 1, "removed by an admin");
  const { body: before } = await request(urls, "GET", "/event");
  await request(urls, "DELETE", `/message/${first.body.id}`, { token: author.token });
  await request(urls, "DELETE", `/message/${second.body.id}`, { token: login.token_value });
  const events = await eventsAfter(before.cursor);
  expect(events.filter(({ event }) => event === "moderate message")).toMatchObject([
    { data: { id: second.body.id, user_id: login.user_id } },
  ]);
});

test("the field of the recipe is stored, and left out where it has no value", { timeout }, async () => {
  const { token } = await signUp(urls, "eve");
  const call = async (path: string, body?: object) => {
    const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
    const response = await fetch(urls.restUrl + path, body ? { method: "POST", headers, body: JSON.stringify(body) } : { headers });
    return (await response.json()) as { id: number }[] & { id: number };
  };
  const sad = await call("/message", { channel_id: 1, message_text: "a", mood: "sad" });
  const plain = await call("/message", { channel_id: 1, message_text: "b" });
  expect(sad).toMatchObject({ message_text: "a", mood: "sad" });
  expect(Object.keys(plain)).not.toContain("mood");
  expect((await call("/message?channel_id=1")).slice(-2)).toEqual([sad, plain]);
});

test("the noun of the last recipe has its table and its procedures", { timeout }, async () => {
  const { token } = await signUp(urls, "cid");
  const other = await signUp(urls, "dan");
  const { body: message } = await post(urls, token, 1, "find me again");
  const { status, body } = await request(urls, "POST", "/bookmark", { token, body: { message_id: message.id } });
  expect(status).toBe(201);
  expect((await request(urls, "GET", "/bookmark", { token })).body).toEqual([body]);
  expect((await request(urls, "GET", "/bookmark", { token: other.token })).body).toEqual([]);
});

test("both documents and the typed client tell of them", { timeout }, async () => {
  const { body: openapi } = await request(urls, "GET", "/openapi.json");
  expect(openapi.paths["/channel/{id}/wave"].post).toMatchObject({ operationId: "channelWave" });
  expect(openapi.paths["/bookmark"]).toMatchObject({ get: { operationId: "bookmarkList" }, post: { operationId: "bookmarkPost" } });
  const { text: asyncapi } = await request(urls, "GET", "/asyncapi.json");
  expect(JSON.parse(asyncapi).components.schemas).toMatchObject({ WaveEvent: expect.anything(), WaveData: expect.anything() });
  expect(asyncapi).toContain('"moderate message"');

  await run(process.execPath, ["build/build.ts"], { cwd: join(copy.path, "client") });
  copy.write(
    "client/recipe.ts",
    `import { createKeenchatClient } from "@keenchat/client";
const chat = createKeenchatClient({ url: "http://localhost" });
export const wave: Promise<void> = chat.channel.wave({ id: 1 });
export const bookmarks: Promise<{ id: number; message_id: number }[]> = chat.bookmark.list({});
for await (const event of chat.events()) if (event.event === "wave") event.data.user_id satisfies number;
`,
  );
  const compilerOptions = { module: "nodenext", target: "es2024", strict: true, noEmit: true, types: ["node"] };
  copy.write("client/tsconfig.json", JSON.stringify({ compilerOptions, files: ["recipe.ts"] }));
  await run("npx", ["tsc", "-p", "client"], { cwd: copy.path });
});

/** Asks both sides of the typed client for a query that no list of verbs knows. */
const callFind = (client: string) => `
const { createKeenchatClient } = await import(${JSON.stringify(client)});
const seen = [];
const chat = createKeenchatClient({
  url: process.argv[1],
  fetch: (url, init) => (seen.push(init.method), fetch(url, init)),
});
const found = [await chat.channel.find({ title: "Code" }), await chat.channel.find({ title: "Code" })];
console.log(JSON.stringify({ found, seen }));
process.exit();
`;

test("a query with a verb of its own is called by the typed client, and a path within a path leads on by its own name", {
  timeout,
}, async () => {
  apply(
    copy,
    `// src/features/channel/channel.router.ts: after "export const channelRouter = router({"
  find: readProcedure
    .meta({ openapi: { method: "GET", path: "/channel/find/{title}", tags: ["channel"], summary: "Find a channel." } })
    .input(z.object({ title: z.string() }))
    .output(z.object({ found: z.string() }))
    .query(({ input }) => ({ found: input.title })),
  postNote: signedInProcedure
    .meta({ openapi: { method: "POST", path: "/channel/{id}/note", tags: ["channel"], protect: true }, rest: { success: 201 } })
    .input(z.object({ id: Id }))
    .output(z.object({ id: Id }))
    .mutation(() => ({ id: 7 })),
  notes: readProcedure
    .meta({ openapi: { method: "GET", path: "/channel/{id}/note", tags: ["channel"] }, rest: { paged: true } })
    .input(z.object({ id: Id, after: z.int().optional(), limit: z.int().default(1) }))
    .output(z.array(z.object({ id: Id })))
    .query(({ ctx }) => {
      ctx.reply.next = 7;
      return [{ id: 7 }];
    }),
`,
  );
  await using changed = startProcess(
    { DATABASE_URL: "sqlite::memory:" },
    { command: [process.execPath, join(copy.path, "server.js")], directory: copy.path },
  );
  const { restUrl } = await changed.ready();
  await run(process.execPath, ["build/build.ts"], { cwd: join(copy.path, "client") });
  const { token } = await signUp({ restUrl }, "fay");
  // A path within a path: what leads on names the path that was asked for, and not its pattern.
  const made = await fetch(`${restUrl}/channel/2/note`, { method: "POST", headers: { authorization: `Bearer ${token}` } });
  expect([made.status, made.headers.get("location")]).toEqual([201, "/channel/2/note/7"]);
  const page = await fetch(`${restUrl}/channel/2/note?limit=1`);
  expect(page.headers.get("link")).toBe('</channel/2/note?limit=1&after=7>; rel="next"');
  const found = [{ found: "Code" }, { found: "Code" }];
  for (const [file, seen] of [
    ["client/dist/client.js", ["GET", "GET"]],
    // Here the first call learns it from the server.
    ["client/src/client.ts", ["POST", "GET", "GET"]],
  ] as const) {
    const { stdout } = await run(process.execPath, ["--input-type=module", "-e", callFind(join(copy.path, file)), restUrl]);
    expect(JSON.parse(stdout), file).toEqual({ found, seen });
  }
});

test("the map shows every place in src, and no other", () => {
  const [map = ""] = readDocument("src/README.md").code("");
  const shown = map
    .split("\n")
    .map((line) => /^([\w.]+)\/? /.exec(line)?.[1])
    .filter((name) => name !== undefined);
  const places = readdirSync(join(root, "src")).filter((name) => name !== "README.md");
  expect(shown.sort()).toEqual(places.sort());
});

test("the glossary has at most thirty terms, and each is a word of the source", () => {
  const terms = readDocument("src/README.md").table("term", "meaning");
  expect(terms.length).toBeGreaterThan(20);
  expect(terms.length).toBeLessThanOrEqual(30);
  const source = globSync("src/**/*.ts", { cwd: root }).map((file) => readFileSync(join(root, file), "utf8"));
  for (const [term = ""] of terms) expect(source.join("\n"), term).toMatch(new RegExp(`\\b${term}\\b`, "i"));
});
