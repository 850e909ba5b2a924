/**
 * Runs generators of clients on the documents of a running server, type-checks what they make, and talks to the server with it. They
 * are large, and so no packages of this repository: `node test/generators/run.ts` installs them into a temporary folder.
 */
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { startProcess } from "../support/process.ts";

const run = promisify(execFile);

const packages = [
  "openapi-typescript@7.13.0",
  "openapi-fetch@0.17.0",
  "@hey-api/openapi-ts@0.99.0",
  "orval@8.38.0",
  "oazapfts@7.5.0",
  "@oazapfts/runtime@1.2.0",
  "openapi-zod-client@1.18.3",
  "@zodios/core@10.9.6",
  "@asyncapi/modelina@5.10.1",
  "typescript@5.9.3",
  "@types/node@24.10.1",
  "axios@1.13.2",
  "zod@3.25.76",
  "tsx@4.20.6",
];

const folder = mkdtempSync(join(tmpdir(), "keenchat-generators-"));
const server = startProcess({ DATABASE_URL: "sqlite::memory:" });
const failed: string[] = [];

async function step(what: string, command: string, ...parameters: string[]): Promise<void> {
  try {
    const { stdout } = await run(command, parameters, { cwd: folder, timeout: 300_000 });
    console.log(`ok      ${what} ${stdout.trim().split("\n").at(-1)}`);
  } catch (error) {
    const { stdout, stderr } = error as { stdout?: string; stderr?: string };
    failed.push(what);
    console.log(`FAILED  ${what}\n${stdout ?? error}${stderr ?? ""}`);
  }
}

/** Each posts a message with its own client, and finds it in the page of events as that kind of event. */
function programs(url: string): Readonly<Record<string, string>> {
  const credentials = `{ username: "ann", password: "correct horse" }`;
  const posts = `{ channel_id: 1, message_text: "Hello!" }`;
  return {
    "openapi-typescript": `import createClient from "openapi-fetch";
import type { paths } from "./out/openapi-typescript.ts";
const client = createClient<paths>({ baseUrl: "${url}" });
const { data: session } = await client.POST("/auth", { body: ${credentials} });
const { data: head } = await client.GET("/event");
const headers = { authorization: \`Bearer \${session!.token_value}\` };
await client.POST("/message", { body: ${posts}, headers });
if (head === undefined || typeof head === "string") throw new Error();
const { data: page } = await client.GET("/event", { params: { query: { cursor: head.cursor, channel_id: [1, 2] } } });
if (page === undefined || typeof page === "string") throw new Error();
for (const item of page.events) if (item.event === "post message") console.log(item.data.message_text);`,
    "hey-api": `import { client } from "./out/hey-api/client.gen.ts";
import { authLogin, eventList, messagePost } from "./out/hey-api/index.ts";
const urls: string[] = [];
client.interceptors.request.use((request) => (urls.push(request.url), request));
const { data: session } = await authLogin({ body: ${credentials} });
client.setConfig({ auth: () => session!.token_value });
const { data: head } = await eventList();
await messagePost({ body: ${posts} });
const { data: page } = await eventList({ query: { cursor: head!.cursor, channel_id: [1, 2] } });
for (const item of page!.events) if (item.event === "post message") console.log(item.data.message_text);
if (urls.some((each) => each.includes("auth="))) throw new Error("The token is in the URL.");`,
    oazapfts: `import * as api from "./out/oazapfts.ts";
const session = await api.authLogin(${credentials});
if (session.status !== 200) throw new Error(session.data.error);
const head = await api.eventList();
if (head.status !== 200) throw new Error();
api.defaults.headers = { authorization: \`Bearer \${session.data.token_value}\` };
await api.messagePost(${posts});
const page = await api.eventList({ cursor: head.data.cursor, channelId: [1, 2] });
if (page.status !== 200) throw new Error();
for (const item of page.data.events) if (item.event === "post message") console.log(item.data.message_text);`,
    orval: `import { authLogin, eventList, messagePost } from "./out/orval.ts";
const session = await authLogin(${credentials});
if (session.status !== 200) throw new Error(session.data.error);
const head = await eventList();
if (head.status !== 200 || typeof head.data === "string") throw new Error();
await messagePost(${posts}, { headers: { authorization: \`Bearer \${session.data.token_value}\` } });
const page = await eventList({ cursor: head.data.cursor, channel_id: [1, 2] });
if (page.status !== 200 || typeof page.data === "string") throw new Error();
for (const item of page.data.events) if (item.event === "post message") console.log(item.data.message_text);`,
    "zod-client": `import { createApiClient } from "./out/zod-client.ts";
const api = createApiClient("${url}");
const session = await api.post("/auth", ${credentials});
const head = await api.get("/event");
await api.post("/message", ${posts}, { headers: { authorization: \`Bearer \${session.token_value}\` } });
const page = await api.get("/event", { queries: { cursor: head.cursor } });
for (const item of page.events) if (item.event === "post message") console.log(item.data.message_text);`,
    modelina: `import type { PostMessageEvent } from "./out/modelina.ts";
const frame: PostMessageEvent = { id: "1.a", event: "post message", data: { id: 1, channel_id: 1, user_id: 1, message_text: "Hello!", time: 1 } };
console.log(frame.data.message_text);`,
  };
}

const modelina = (url: string) => `import { writeFileSync } from "node:fs";
import { TypeScriptGenerator } from "@asyncapi/modelina";
const document = await (await fetch("${url}/asyncapi.json")).json();
const generator = new TypeScriptGenerator({ modelType: "interface", enumType: "union", mapType: "record", rawPropertyNames: true });
const models = await generator.generate(document);
const anonymous = models.filter(({ modelName }) => /anonymous|^\\W/i.test(modelName)).map(({ modelName }) => modelName);
if (anonymous.length > 0) throw new Error(anonymous.join(", "));
writeFileSync("out/modelina.ts", models.map(({ result }) => \`export \${result}\`).join("\\n"));
console.log(models.length, "models");`;

try {
  const { restUrl: url } = await server.ready();
  await fetch(`${url}/user`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ username: "ann", password: "correct horse" }),
  });
  writeFileSync(join(folder, "package.json"), JSON.stringify({ private: true, type: "module" }));
  await step("install", "npm", "install", "--no-audit", "--no-fund", "--save-exact", ...packages);
  const document = `${url}/openapi.json`;
  await step("openapi-typescript", "npx", "openapi-typescript", document, "-o", "out/openapi-typescript.ts");
  await step("@hey-api/openapi-ts", "npx", "openapi-ts", "-i", document, "-o", "out/hey-api", "-c", "@hey-api/client-fetch");
  await step("oazapfts", "npx", "oazapfts", document, "out/oazapfts.ts");
  await step("openapi-zod-client", "npx", "openapi-zod-client", document, "-o", "out/zod-client.ts");
  const output = { target: "./out/orval.ts", client: "fetch", baseUrl: url };
  writeFileSync(join(folder, "orval.config.mjs"), `export default ${JSON.stringify({ keenchat: { input: document, output } })};`);
  await step("orval", "npx", "orval", "--config", "orval.config.mjs");
  writeFileSync(join(folder, "modelina.mjs"), modelina(url));
  await step("@asyncapi/modelina", process.execPath, "modelina.mjs");
  const compilerOptions = {
    module: "esnext",
    moduleResolution: "bundler",
    target: "es2023",
    lib: ["es2023", "dom", "dom.iterable"],
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    allowImportingTsExtensions: true,
    types: ["node"],
  };
  for (const [name, program] of Object.entries(programs(url))) {
    writeFileSync(join(folder, `${name}.ts`), `${program}\nexport {};\n`);
    writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, files: [`${name}.ts`] }));
    await step(`${name}: compiles`, "npx", "tsc", "-p", ".");
    await step(`${name}: runs`, "npx", "tsx", `${name}.ts`);
  }
} finally {
  await server[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
}
console.log(failed.length === 0 ? "all did" : `${failed.length} failed: ${failed.join("; ")}`);
process.exitCode = failed.length === 0 ? 0 : 1;
