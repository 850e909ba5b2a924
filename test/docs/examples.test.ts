/** Every command and every program in docs/ is run against a live server, and prints what stands below it. */
import { execFile, spawn } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { lexer, type Tokens } from "marked";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { copyRepository, type RepositoryCopy, root } from "../support/copy.ts";
import { post, signUp } from "../support/http.ts";
import { temporaryDirectory } from "../support/process.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { TcpProxy, type WireState } from "../support/tcp-proxy.ts";
import { printedPattern, Terminal } from "../support/terminal.ts";
import { Inbox } from "../support/wait.ts";

const timeout = 180_000;
const run = promisify(execFile);

interface Block {
  readonly language: string;
  readonly code: string;
  /** What it prints, where the page says so. */
  readonly prints: string | undefined;
}

/** The blocks of a page, in order; one of `text` belongs to the block before it. */
function readBlocks(file: string): Block[] {
  const fenced = lexer(readFileSync(join(root, "docs", file), "utf8")).filter((token): token is Tokens.Code => token.type === "code");
  return fenced.flatMap(({ lang = "", text }, index) => {
    if (lang === "text") return [];
    const next = fenced[index + 1];
    return [{ language: lang, code: text, prints: next?.lang === "text" ? next.text : undefined }];
  });
}

const pages = readdirSync(join(root, "docs"))
  .filter((file) => file.endsWith(".md"))
  .map((file) => ({ name: basename(file, ".md"), blocks: readBlocks(file) }));
const programs = pages.flatMap(({ name, blocks }) =>
  blocks.flatMap(({ language, code }, index) => (/^ts\b/.test(language) ? [{ name: `docs-${name}-${index}.ts`, code }] : [])),
);

let copy: RepositoryCopy;
beforeAll(async () => {
  copy = copyRepository();
  // A file of the package itself may import the package by its name.
  const directory = join(copy.path, "client");
  await run(process.execPath, ["build/build.ts"], { cwd: directory });
  for (const { name, code } of programs) writeFileSync(join(directory, name), `${code}\nexport {};\n`);
  const compilerOptions = { module: "preserve", target: "es2024", strict: true, noEmit: true, types: ["node"], skipLibCheck: true };
  writeFileSync(join(directory, "tsconfig.json"), JSON.stringify({ compilerOptions, files: programs.map(({ name }) => name) }));
}, timeout);
afterAll(() => copy[Symbol.dispose]());

/** A command as written, for the server under test. */
function here(text: string, server: Pick<TestServer, "restUrl" | "wsUrl" | "databaseUrl">): string {
  return text
    .replaceAll(/(?:http:\/\/)?localhost:5000/g, server.restUrl)
    .replaceAll("ws://localhost:5001", server.wsUrl)
    .replaceAll("data/keenchat", server.databaseUrl.replace(/^sqlite:|\.db$/g, ""));
}

/** One command a line, unless a line goes on in the next. */
function commandsOf(code: string): string[] {
  return code.replaceAll("\\\n", "").split("\n");
}

async function runProgram(name: string, server: TestServer): Promise<string> {
  const file = join(copy.path, "client", name);
  writeFileSync(file, here(readFileSync(file, "utf8"), server));
  const { stdout, stderr } = await run(process.execPath, [file], { timeout: 60_000 });
  expect(stderr).toBe("");
  return stdout.trim();
}

test("the programs compile", { timeout }, async () => {
  expect(programs.length).toBeGreaterThan(5);
  const { stdout } = await run(join(root, "node_modules/.bin/tsc"), ["-p", "client"], { cwd: copy.path }).catch((error) => error);
  expect(stdout).toBe("");
});

test("a command with curl is written where it is run: in a block of sh", () => {
  for (const { name, blocks } of pages) {
    for (const { language, code } of blocks) if (language !== "sh") expect(code, name).not.toMatch(/\bcurl\b/);
  }
});

describe.each(pages.filter(({ blocks }) => blocks.some(({ language }) => language === "sh" || language === "ts")))("$name", (page) => {
  test("does what it says", { timeout }, async () => {
    using directory = temporaryDirectory();
    await using server = await startServer({ DATABASE_URL: `sqlite:${join(directory.path, "keenchat.db")}` });
    using terminal = new Terminal();
    let watched: ReturnType<Terminal["watch"]> | undefined;

    for (const [index, { language, code, prints }] of page.blocks.entries()) {
      if (language === "text watch") await watched?.has(`what "${code}" announces`, code);
      else if (code.startsWith("curl -N ")) {
        watched = terminal.watch(here(code, server).replace("curl -N", "curl -sSN"));
        await watched.has("the stream's beginning", prints ?? "");
      } else if (language === "sh" || language === "ts") {
        const printed: string[] = [];
        if (language === "ts") printed.push(await runProgram(`docs-${page.name}-${index}.ts`, server));
        else
          for (const command of commandsOf(here(code, server)))
            printed.push(await terminal.type(command.replace(/^curl (?!-s)/, "curl -sS ")));
        const text = printed.filter((line) => line !== "").join("\n");
        if (prints === undefined) expect(text, code).not.toMatch(/"error"|Error/);
        else expect(text, code).toMatch(new RegExp(`^${printedPattern(prints)}$`));
      }
    }
  });
});

const readers = pages.flatMap(({ name, blocks }) =>
  blocks.flatMap(({ language }, index) => (language === "ts live" ? [{ name: `docs-${name}-${index}.ts` }] : [])),
);

describe("a reader that is cut off comes back", () => {
  test.concurrent.each(readers)("and loses nothing: $name", { timeout }, async ({ name }) => {
    await using server = await startServer();
    await using other = await startServer();
    const { token } = await signUp(server, "ann");
    const stranger = await signUp(other, "bob");
    const rest = await TcpProxy.start(Number(new URL(server.restUrl).port));
    const sockets = await TcpProxy.start(Number(new URL(server.wsUrl).port));
    const through = { restUrl: `http://127.0.0.1:${rest.port}`, wsUrl: `ws://127.0.0.1:${sockets.port}`, databaseUrl: "" };
    const file = join(copy.path, "client", name);
    // As a page or a server does, it lives on while nothing is connected.
    writeFileSync(file, `${here(readFileSync(file, "utf8"), through)}\nsetInterval(() => {}, 60_000);\n`);
    const reader = spawn(process.execPath, [file], { stdio: ["ignore", "pipe", "inherit"] });
    const lines = new Inbox<string>();
    createInterface(reader.stdout).on("line", (line) => lines.push(line));
    const has = (line: string) => lines.take(line, (item) => item === line, 60_000);
    const set = (state: WireState) => {
      for (const proxy of [rest, sockets]) proxy.set(state);
    };
    try {
      await has("up to date");
      await post(server, token, 1, "before");
      await has("before");
      for (const round of ["first", "second"]) {
        set("cut");
        await post(server, token, 1, `${round} while away`);
        set("pass");
        await has(`${round} while away`);
        await post(server, token, 1, `${round} after`);
        await has(`${round} after`);
      }
      const messages = lines.items.filter((line) => line !== "up to date");
      expect(messages).toEqual(["before", "first while away", "first after", "second while away", "second after"]);

      // Of another database, the cursor is of no use.
      rest.target = Number(new URL(other.restUrl).port);
      sockets.target = Number(new URL(other.wsUrl).port);
      set("cut");
      set("pass");
      await has("read again");
      await post(other, stranger.token, 1, "elsewhere");
      await has("elsewhere");
    } finally {
      reader.kill();
      await rest.close();
      await sockets.close();
    }
  });
});
