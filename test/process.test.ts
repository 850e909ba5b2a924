/** The server as a process: how it starts, what it says when it cannot, how it stops. */
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { type AddressInfo, connect, createServer } from "node:net";
import { delimiter, dirname, join } from "node:path";
import BetterSqlite from "better-sqlite3";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { busOfThisRun, createDatabase } from "./support/database.ts";
import { password, post, request, signUp } from "./support/http.ts";
import { serverFile, startProcess, temporaryDirectory } from "./support/process.ts";
import { RedisServer } from "./support/redis-server.ts";
import { leftOut } from "./support/services.ts";
import { Inbox, within } from "./support/wait.ts";

const timeout = 120_000;
const root = dirname(serverFile);
const memory = { DATABASE_URL: "sqlite::memory:" };

let scratch: ReturnType<typeof temporaryDirectory>;
beforeAll(() => {
  scratch = temporaryDirectory();
  writeFileSync(join(scratch.path, "old.cjs"), 'Object.defineProperty(process.versions, "node", { value: "20.9.0" });\n');
});
afterAll(() => scratch[Symbol.dispose]());

/** This Node, made to say that it is an old one. */
function pretendedOld(file: string): [string, ...string[]] {
  return [process.execPath, "--require", join(scratch.path, "old.cjs"), file];
}

/** A Node of the machine that is not the one npm installed, where there is one. */
function nodesOfTheMachine(): string[] {
  const found = (process.env["PATH"] ?? "")
    .split(delimiter)
    .filter((directory) => !directory.includes("node_modules"))
    .map((directory) => join(directory, "node"));
  return found.filter((file) => existsSync(file)).slice(0, 1);
}

async function expectConnectionRefused(url: string): Promise<void> {
  const { hostname, port } = new URL(url);
  const [error] = await once(connect({ host: hostname, port: Number(port) }), "error");
  expect(error).toMatchObject({ code: "ECONNREFUSED" });
}

async function openSocket(wsUrl: string): Promise<WebSocket> {
  const socket = new WebSocket(wsUrl);
  await once(socket, "open");
  return socket;
}

const launchers: readonly (readonly [string, () => [string, ...string[]]])[] = [
  ["this Node", () => [process.execPath, serverFile]],
  ["a Node that says it is too old", () => pretendedOld(serverFile)],
  ...nodesOfTheMachine().map((file) => {
    const version = execFileSync(file, ["--version"], { encoding: "utf8" }).trim();
    return [`the machine's Node ${version}`, (): [string, ...string[]] => [file, serverFile]] as const;
  }),
];

describe.each(launchers)("started by %s", { timeout }, (_, command) => {
  test.each(["SIGTERM", "SIGINT"] as const)("it says where it is, answers there, and ends with 0 at %s", async (signal) => {
    await using server = startProcess(memory, { command: command() });
    const { restUrl, wsUrl } = await server.ready();
    expect(new URL(restUrl).port).not.toBe("0");
    expect(new URL(wsUrl).port).not.toBe(new URL(restUrl).port);
    expect((await request({ restUrl }, "GET", "/channel")).body).toHaveLength(2);
    const socket = await openSocket(wsUrl);
    const [[code], ended] = await Promise.all([once(socket, "close"), server.end(signal)]);
    expect(code).toBe(1001);
    expect(ended).toEqual({ code: 0, signal: null });
    expect(server.stderr.items).toEqual([]);
    await expectConnectionRefused(restUrl);
    await expectConnectionRefused(wsUrl);
  });

  test("a wrong variable ends it with 78", async () => {
    await using server = startProcess({ ...memory, SIGN_UP: "maybe" }, { command: command() });
    expect(await server.ended).toEqual({ code: 78, signal: null });
    expect(server.stderr.items).toEqual([expect.stringMatching(/^SIGN_UP /)]);
  });

  test("killed with -9, it leaves nothing running and its port free", async () => {
    await using server = startProcess(memory, { command: command() });
    const { restUrl, wsUrl } = await server.ready();
    await server.end("SIGKILL");
    await expectConnectionRefused(restUrl);
    await expectConnectionRefused(wsUrl);
  });
});

test("npm start is the same, its stop too", { timeout }, async () => {
  await using server = startProcess(memory, { command: ["npm", "start"], directory: root });
  const { restUrl } = await server.ready();
  expect((await request({ restUrl }, "GET", "/live")).status).toBe(200);
  await server.end("SIGTERM");
  await expectConnectionRefused(restUrl);
  expect(server.stderr.items.filter((line) => !line.startsWith("npm "))).toEqual([]);
});

test("under an old Node and without packages it says in one line what it needs", { timeout }, async () => {
  const directory = join(scratch.path, "without-packages");
  mkdirSync(directory);
  for (const file of ["server.js", "package.json"]) copyFileSync(join(root, file), join(directory, file));
  await using server = startProcess({}, { command: pretendedOld(join(directory, "server.js")) });
  expect(await server.ended).toEqual({ code: 78, signal: null });
  expect(server.stderr.items).toEqual([expect.stringMatching(/Node 24\.7 or newer.*npm ci.*20\.9\.0/)]);
});

describe("the ready line", { timeout }, () => {
  test.each(["fatal", "error", "warn", "info", "debug", "trace", "silent"])("is there at LOG_LEVEL %s, as JSON", async (level) => {
    await using server = startProcess({ ...memory, LOG_LEVEL: level });
    const { line, restUrl, wsUrl } = await server.ready();
    expect(JSON.parse(line)).toMatchObject({ level: "info", msg: expect.stringContaining(restUrl) });
    expect(line).toContain(wsUrl);
    await server.end("SIGTERM");
    for (const logged of server.stdout.items) expect(() => JSON.parse(logged)).not.toThrow();
  });

  test("names the ports and the host that were asked for", async () => {
    const free = createServer().listen(0, "127.0.0.1");
    await once(free, "listening");
    const { port } = free.address() as AddressInfo;
    free.close();
    await once(free, "close");
    await using server = startProcess({ ...memory, PORT: String(port), HOST: "127.0.0.1" });
    expect((await server.ready()).restUrl).toBe(`http://127.0.0.1:${port}`);
  });
});

describe("a start that cannot work", { timeout }, () => {
  test.each([
    ["PORT", "65536"],
    ["WEBSOCKETS_PORT", "ws"],
    ["HOST", "192.0.2.1"],
    ["DATABASE_URL", "mysql://localhost/chat"],
    ["REDIS_URL", "localhost:6379"],
    ["REDIS_URL", "redis://127.0.0.1/abc"],
    ["REDIS_URL", "redis://:pa%ss@127.0.0.1"],
    ["AUTH_SECRET", "too short"],
    ["TOKEN_TTL", "30"],
    ["ADMIN", "no spaces"],
    ["ANONYMOUS_READ", "yes"],
    ["CORS_ORIGINS", "chat.example"],
    ["TRUSTED_PROXIES", "proxy.example"],
    ["LOG_LEVEL", "verbose"],
    ["MAX_SOCKETS_PER_ADDRESS", "0"],
  ])("%s=%s: one line on standard error names it, and the exit code is 78", async (name, value) => {
    await using server = startProcess({ ...memory, [name]: value });
    expect(await server.ended).toEqual({ code: 78, signal: null });
    expect(server.stderr.items).toEqual([expect.stringMatching(new RegExp(`^${name} `))]);
    expect(server.stdout.items).toEqual([]);
  });

  test.each(["PORT", "WEBSOCKETS_PORT"])("a taken %s names itself", async (name) => {
    const taken = createServer().listen(0, "127.0.0.1");
    await once(taken, "listening");
    const port = String((taken.address() as AddressInfo).port);
    await using server = startProcess({ ...memory, [name]: port });
    expect(await server.ended).toEqual({ code: 78, signal: null });
    expect(server.stderr.items).toEqual([`${name} ${port} is taken by another process`]);
    taken.close();
  });

  test.each([
    ["a directory", (path: string) => mkdirSync(path)],
    ["no database", (path: string) => writeFileSync(path, "Dear diary, this is no database. ".repeat(100))],
    ["inside a file", (path: string) => writeFileSync(dirname(path), "")],
  ])("a database path that is %s names DATABASE_URL", async (what, prepare) => {
    const parent = join(scratch.path, what.replaceAll(" ", "-"));
    if (what !== "inside a file") mkdirSync(parent);
    const path = join(parent, "chat.db");
    prepare(path);
    await using server = startProcess({ DATABASE_URL: `sqlite:${path}` });
    expect(await server.ended).toEqual({ code: 78, signal: null });
    expect(server.stderr.items).toEqual([expect.stringMatching(/^DATABASE_URL /)]);
  });

  test("so does a database whose events cannot be read any more", async () => {
    const path = join(scratch.path, "damaged.db");
    const environment = { DATABASE_URL: `sqlite:${path}` };
    const whole = startProcess(environment);
    await whole.ready();
    await whole.end("SIGTERM");
    const database = new BetterSqlite(path);
    database.pragma("wal_checkpoint(truncate)");
    const pageBytes = database.pragma("page_size", { simple: true }) as number;
    const page = database.prepare("select rootpage from sqlite_master where name = 'event'").pluck().get() as number;
    database.close();
    const bytes = readFileSync(path);
    writeFileSync(path, bytes.fill(0xff, (page - 1) * pageBytes, page * pageBytes));
    await using server = startProcess(environment);
    expect(await server.ended).toEqual({ code: 78, signal: null });
    expect(server.stderr.items).toEqual([expect.stringMatching(/^DATABASE_URL names a file that cannot be used: /)]);
  });
});

describe.each(leftOut("redis") ? [] : ["Redis"])("a %s that is away at the start", { timeout }, () => {
  test("is warned of once, with the reason; /ready says so, and is 200; so it is when it has come", async () => {
    await using redis = await RedisServer.start();
    await redis.stop();
    await using server = startProcess({ ...memory, REDIS_URL: redis.url });
    const { restUrl } = await server.ready();
    const ready = async () => {
      const { status, body } = await request({ restUrl }, "GET", "/ready");
      return { status, body };
    };
    const warning = await server.stdout.take("the warning", (line) => line.includes("Redis is away"), 30_000);
    expect(JSON.parse(warning)).toMatchObject({ level: "warn", redis: false, reason: "ECONNREFUSED" });
    expect(await ready()).toEqual({ status: 200, body: { status: "ok", redis: "away" } });
    await redis.start();
    await server.stdout.take("the good news", (line) => line.includes("Redis carries"), 30_000);
    expect(await ready()).toEqual({ status: 200, body: { status: "ok", redis: "ok" } });
    expect(server.stdout.items.filter((line) => line.includes("Redis"))).toHaveLength(2);
  });
});

describe("the database, where it is SQLite,", { timeout }, () => {
  test("is data/keenchat.db under the directory of the start where nothing else is said", async () => {
    using directory = temporaryDirectory();
    await using server = startProcess({}, { directory: directory.path });
    await server.ready();
    expect(existsSync(join(directory.path, "data/keenchat.db"))).toBe(true);
  });

  test("keeps a second process out, and lets one in as soon as the first was killed", async () => {
    using directory = temporaryDirectory();
    const environment = { DATABASE_URL: `sqlite:${join(directory.path, "chat.db")}` };
    await using first = startProcess(environment);
    const { restUrl } = await first.ready();
    const { id } = await signUp({ restUrl }, "ann");

    await using second = startProcess(environment);
    expect(await second.ended).toEqual({ code: 78, signal: null });
    expect(second.stderr.items).toEqual([expect.stringMatching(/^DATABASE_URL .*another Keenchat process/)]);
    symlinkSync(join(directory.path, "chat.db"), join(directory.path, "link.db"));
    await using byLink = startProcess({ DATABASE_URL: `sqlite:${join(directory.path, "link.db")}` });
    expect(await byLink.ended).toEqual({ code: 78, signal: null });
    expect((await request({ restUrl }, "GET", `/user/${id}`)).status).toBe(200);

    await first.end("SIGKILL");
    await using third = startProcess(environment);
    expect((await request(await third.ready(), "GET", `/user/${id}`)).status).toBe(200);
  });
});

test("a token lasts as long as TOKEN_TTL says", { timeout }, async () => {
  await using server = startProcess({ ...memory, TOKEN_TTL: "90s" });
  const { restUrl } = await server.ready();
  await signUp({ restUrl }, "ann");
  const before = Date.now();
  const { body } = await request({ restUrl }, "POST", "/auth", { body: { username: "ann", password } });
  expect(body.expires_at).toBeGreaterThanOrEqual(before + 90_000);
  expect(body.expires_at).toBeLessThanOrEqual(Date.now() + 90_000);
});

/** A request whose end the test holds back. It resolves once the server has taken it up. */
async function openRequest(restUrl: string, token: string, body: string) {
  const { hostname, port } = new URL(restUrl);
  const socket = connect({ host: hostname, port: Number(port) });
  const answers = new Inbox<string>();
  socket.setEncoding("utf8").on("data", (chunk: string) => answers.push(chunk));
  socket.on("error", () => {});
  const head = [
    "POST /message HTTP/1.1",
    `Host: ${hostname}:${port}`,
    "Content-Type: application/json",
    `Content-Length: ${Buffer.byteLength(body)}`,
    `Authorization: Bearer ${token}`,
    "Expect: 100-continue",
  ];
  socket.write(`${head.join("\r\n")}\r\n\r\n`);
  await answers.take("the server's word to go on", (chunk) => chunk.startsWith("HTTP/1.1 100 "), 30_000);
  return { socket, answers, finish: () => socket.write(body) };
}

describe("a stop", { timeout }, () => {
  const stopWithinMs = 15_000;

  test("answers what is under way, takes nothing new, and loses nothing it has answered", async () => {
    const database = await createDatabase();
    const environment = { ...busOfThisRun, DATABASE_URL: database.url };
    await using server = startProcess(environment);
    const { restUrl, wsUrl } = await server.ready();
    const { token } = await signUp({ restUrl }, "ann");
    const socket = await openSocket(wsUrl);
    const underWay = await openRequest(restUrl, token, JSON.stringify({ channel_id: 1, message_text: "last words" }));

    const started = performance.now();
    server.child.kill("SIGTERM");
    await within(30_000, "the socket's close", once(socket, "close"));
    await expectConnectionRefused(restUrl);
    underWay.finish();
    await underWay.answers.take("the answer", (chunk) => chunk.startsWith("HTTP/1.1 201 "), 30_000);
    expect(await server.ended).toEqual({ code: 0, signal: null });
    expect(performance.now() - started).toBeLessThan(stopWithinMs);

    await using again = startProcess(environment);
    const { body } = await request(await again.ready(), "GET", "/message?channel_id=1");
    expect(body).toMatchObject([{ message_text: "last words" }]);
    await again.end("SIGTERM");
    await database.drop();
  });

  test("is not held up by a request that never ends", async () => {
    await using server = startProcess(memory);
    const { restUrl } = await server.ready();
    const { token } = await signUp({ restUrl }, "ann");
    const { socket } = await openRequest(restUrl, token, "never sent");
    const started = performance.now();
    expect(await server.end("SIGTERM")).toEqual({ code: 0, signal: null });
    expect(performance.now() - started).toBeLessThan(stopWithinMs);
    socket.destroy();
  });

  test.each(["SIGTERM", "SIGKILL"] as const)("by %s in the middle of many posts loses none that was answered", async (signal) => {
    const database = await createDatabase();
    const environment = { ...busOfThisRun, DATABASE_URL: database.url };
    await using server = startProcess(environment);
    const { restUrl } = await server.ready();
    const { token } = await signUp({ restUrl }, "ann");
    const acknowledged = new Inbox<number>();
    const writers = Array.from({ length: 8 }, async () => {
      for (;;) {
        const answer = await post({ restUrl }, token, 1, "on the way").catch(() => undefined);
        if (answer?.status !== 201) return;
        acknowledged.push(answer.body.id);
      }
    });
    await acknowledged.count("acknowledged post", 50, undefined, 30_000);
    await server.end(signal);
    await Promise.all(writers);

    await using again = startProcess(environment);
    const { restUrl: url } = await again.ready();
    const kept = new Set<number>();
    for (let path: string | undefined = "/message?after=0&limit=200"; path; ) {
      const { body, headers } = await request({ restUrl: url }, "GET", path);
      for (const { id } of body) kept.add(id);
      path = /<([^>]+)>; rel="next"/.exec(headers.get("link") ?? "")?.[1];
    }
    expect(acknowledged.items.filter((id) => !kept.has(id))).toEqual([]);
    await again.end("SIGTERM");
    await database.drop();
  });
});
