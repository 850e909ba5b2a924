/** What README.md says is what the server does: its commands run, its code compiles, its tables are held against the source, both ways. */
import { execFile, spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { catalogue } from "../src/api.ts";
import { readConfig, variables } from "../src/config.ts";
import { type ErrorCode, errorCodes } from "../src/core/errors.ts";
import { definitions } from "../src/transports/calls/procedures.ts";
import { routes } from "../src/transports/rest/routes.ts";
import { commands } from "../src/transports/shim/commands.ts";
import { closeCodes } from "../src/transports/socket/connections.ts";
import { copyRepository } from "./support/copy.ts";
import { password, request, signUp } from "./support/http.ts";
import { readDocument } from "./support/markdown.ts";
import { startServer, type TestServer } from "./support/server.ts";
import { Inbox } from "./support/wait.ts";

/** Never the synchronous form: the server answers from this very process. */
const run = promisify(execFile);
const timeout = 120_000;
const readme = readDocument("README.md");

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.close());

/** The commands as written, sent to the server under test. */
function here(text: string): string {
  return text.replaceAll(/(?:http:\/\/)?localhost:5000/g, server.restUrl);
}

/** Runs a block of commands in one shell, and gives what each line printed. */
async function shell(block: string): Promise<string[]> {
  const script = here(block)
    .trim()
    .split("\n")
    .map((line) => `${line.replace(/^curl /, "curl -sS ")}\necho`)
    .join("\n");
  const { stdout, stderr } = await run("bash", ["-euc", script], { timeout: 60_000 });
  expect(stderr).toBe("");
  return stdout.split("\n").slice(0, -1);
}

describe("the first screen", { timeout }, () => {
  test("signs up, signs in, posts and reads, while the live terminal shows it", async () => {
    const [start = "", watch = "", quick = ""] = readme.code("sh");
    expect(start).toBe("npm ci && npm start\n");
    const live = spawn(
      "bash",
      [
        "-euc",
        `exec ${here(watch)
          .trim()
          .replace(/^curl /, "curl -sS ")}`,
      ],
      {
        stdio: ["ignore", "pipe", "inherit"],
      },
    );
    const lines = new Inbox<string>();
    createInterface(live.stdout).on("line", (line) => lines.push(line));
    try {
      await lines.take("the position to begin with", (line) => line === "event: ready", 30_000);
      const [user = "", , posted = "", read = ""] = await shell(quick);
      expect(JSON.parse(user)).toMatchObject({ username: "ann" });
      expect(JSON.parse(posted)).toMatchObject({ channel_id: 1, message_text: "Hello!" });
      expect(JSON.parse(read)).toEqual([JSON.parse(posted)]);
      await lines.take("the message", (line) => line === `data: ${posted}`, 30_000);
      expect(lines.items).toContain("event: post user");
      expect(lines.items).toContain("event: post message");
    } finally {
      live.kill();
    }
  });

  test("has a typed client that compiles, posts and hears it", async () => {
    const [block = ""] = readme.code("ts");
    if ((await request(server, "GET", "/user?username=ann")).body.length === 0) await signUp(server, "ann");
    expect(block).toContain(password);
    using copy = copyRepository();
    await run(process.execPath, ["build/build.ts"], { cwd: join(copy.path, "client") });
    // A file of the package itself may import the package by its name.
    const file = join(copy.path, "client", "readme.ts");
    writeFileSync(file, here(block));
    writeFileSync(
      join(copy.path, "client", "tsconfig.json"),
      JSON.stringify({
        compilerOptions: { module: "nodenext", target: "es2024", strict: true, noEmit: true, types: ["node"] },
        files: ["readme.ts"],
      }),
    );
    expect((await run("npx", ["tsc", "-p", "client"], { cwd: copy.path })).stdout).toBe("");

    const chat = spawn(process.execPath, [file], { stdio: ["ignore", "pipe", "inherit"] });
    const lines = new Inbox<string>();
    createInterface(chat.stdout).on("line", (line) => lines.push(line));
    try {
      await lines.take("its own message", (line) => line === "Hello from TypeScript!", 30_000);
    } finally {
      chat.kill();
    }
  });
});

function statusOf(code: ErrorCode): number {
  return errorCodes[code].status;
}

/** A shape as the tables write it: its name, or its fields. */
function shapeOf(schema: z.core.$ZodType, named = true): string {
  const name = z.globalRegistry.get(schema)?.id;
  if (named && name !== undefined && resources().has(name)) return name;
  if (!(schema instanceof z.ZodObject)) return schema instanceof z.ZodNull ? "none" : "text";
  const fields = Object.entries(schema.shape as Record<string, z.core.$ZodType>);
  return `{ ${fields.map(([field, { _zod }]) => (_zod.optin === "optional" ? `${field}?` : field)).join(", ")} }`;
}

/** The resources as README.md writes them, by name. */
function resources(): Map<string, string> {
  const block = readme.code("").find((code) => code.startsWith("User ")) ?? "";
  return new Map(
    block
      .trim()
      .split("\n")
      .map((line) => [line.slice(0, line.indexOf(" ")), line.slice(line.indexOf("{"))]),
  );
}

describe("the tables", () => {
  test("resources have the fields the server sends", () => {
    const outputs = [...definitions.values()].map(({ output }) => output).filter((output) => output instanceof z.ZodObject);
    const shapes = outputs.map((output) => [z.globalRegistry.get(output)?.id, shapeOf(output, false)] as const);
    for (const [name, fields] of resources()) expect(new Map(shapes).get(name)).toBe(fields);
    expect(resources().size).toBe(4);
  });

  test("REST: every request, and no other", () => {
    const expected = routes.map(({ method, segments, procedure, protect, rest }) => {
      const success = rest.repeatable ? [rest.success, 200] : [rest.success ?? 200];
      return [
        `\`${method} /${segments.join("/")}\``,
        definitions.get(procedure)?.meta?.openapi?.summary ?? "",
        protect ? "yes" : "",
        [...success, ...(rest.errors ?? []).map(statusOf)].join(", "),
        `\`${procedure}\``,
      ];
    });
    expect(readme.table("request", "", "token", "answers", "tRPC")).toEqual(expected);
  });

  test("errors: every code, and no other", () => {
    const expected = Object.entries(errorCodes).map(([code, { status, text }]) => [`\`${code}\``, String(status), text]);
    expect(readme.table("code", "status", "text, where nothing better is known")).toEqual(expected);
  });

  test("events: every one of the catalogue, and no other", () => {
    const code = (shape: string) => (shape === "none" ? shape : `\`${shape}\``);
    const expected = catalogue.map(({ name, data, logged, description }) => [
      `\`${name}\``,
      code(shapeOf(data)),
      logged ? "yes" : "",
      description,
    ]);
    expect(readme.table("event", "data", "in the log", "")).toEqual(expected);
  });

  test("commands: everything a client may send, and nothing else", () => {
    const sent: Record<string, string> = { identify: "a token", "change channel": "`{ id }`, or none to leave" };
    const expected = Object.entries(commands).map(([name, { data, description }]) => {
      const shape = shapeOf(data);
      return [`\`${name}\``, sent[name] ?? (shape === "none" ? shape : `\`${shape}\``), description];
    });
    expect(readme.table("event", "data", "")).toEqual(expected);
  });

  test("close codes: every one the server uses", () => {
    // 1009 is sent by the WebSocket library.
    const expected = [...Object.values(closeCodes), 1009].sort((a, b) => a - b).map(String);
    expect(readme.table("close code", "").map(([code]) => code)).toEqual(expected);
  });

  test("configuration: every variable with its default and its description, and no other", () => {
    const rows = readme.table("variable", "default", "");
    const expected = Object.entries(variables.shape).map(([name, schema]) => [`\`${name}\``, schema.description]);
    expect(rows.map(([name, , description]) => [name, description])).toEqual(expected);
    for (const [name = "", value = ""] of rows) {
      const given = value === "unset" || value === "none" ? "" : value.slice(1, -1);
      expect(readConfig({ [name.slice(1, -1)]: given }), name).toEqual(readConfig({}));
    }
  });
});
