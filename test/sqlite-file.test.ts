/** SQLite's file: one server at a time by whatever name, what lies beside it after a crash, and what is left of one in memory. */
import { spawnSync } from "node:child_process";
import { copyFileSync, linkSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, symlinkSync } from "node:fs";
import { basename, join } from "node:path";
import process from "node:process";
import BetterSqlite from "better-sqlite3";
import { describe, expect, test } from "vitest";
import { root } from "./support/copy.ts";
import { post, request, signUp } from "./support/http.ts";
import { startProcess, temporaryDirectory } from "./support/process.ts";
import { until } from "./support/wait.ts";

const timeout = 120_000;

const start = (path: string, directory?: string) =>
  startProcess({ DATABASE_URL: `sqlite:${path}` }, directory === undefined ? {} : { directory });

describe("a second server on one file", { timeout }, () => {
  /** How the second names the file `chat.db` of the folder that both start in. */
  const names: readonly { name: string; path: (directory: string) => string; make?: (directory: string) => void }[] = [
    { name: "an absolute path", path: (directory) => join(directory, "chat.db") },
    { name: "white space around the path", path: () => " chat.db " },
    { name: "a relative path through its own folder", path: (directory) => `../${basename(directory)}/./chat.db` },
    { name: "a link", path: () => "link.db", make: (directory) => symlinkSync("chat.db", join(directory, "link.db")) },
    { name: "a link of its folder", path: () => "here/chat.db", make: (directory) => symlinkSync(".", join(directory, "here")) },
    { name: "a hard link", path: () => "hard.db", make: (directory) => linkSync(join(directory, "chat.db"), join(directory, "hard.db")) },
    {
      name: "a hard link in another folder",
      path: () => "sub/h.db",
      make: (directory) => linkSync(join(directory, "chat.db"), join(directory, "sub/h.db")),
    },
  ];
  test.each(names)("is refused in one line where it names it by $name", async ({ path, make }) => {
    using directory = temporaryDirectory();
    mkdirSync(join(directory.path, "sub"));
    await using first = start("chat.db", directory.path);
    await first.ready();
    make?.(directory.path);
    await using second = start(path(directory.path), directory.path);
    expect(await second.ended).toEqual({ code: 78, signal: null });
    expect(second.stderr.items).toEqual([expect.stringMatching(/^DATABASE_URL .*another Keenchat process/)]);
  });

  test.each([
    ["link.db", "chat.db"],
    ["chat.db", "link.db"],
  ])("is refused too where the link led to nothing before the first start: %s, then %s", async (one, other) => {
    using directory = temporaryDirectory();
    symlinkSync("chat.db", join(directory.path, "link.db"));
    await using first = start(one, directory.path);
    await first.ready();
    await using second = start(other, directory.path);
    expect(await second.ended).toEqual({ code: 78, signal: null });
    expect(second.stderr.items).toEqual([expect.stringMatching(/another Keenchat process/)]);
  });

  test("starts by a hard link once the first has stopped, and finds everything", async () => {
    using directory = temporaryDirectory();
    await using first = start("chat.db", directory.path);
    const { id } = await signUp(await first.ready(), "ann");
    linkSync(join(directory.path, "chat.db"), join(directory.path, "hard.db"));
    await first.end("SIGTERM");
    await using second = start("hard.db", directory.path);
    expect((await request(await second.ready(), "GET", `/user/${id}`)).status).toBe(200);
  });

  test("is not needed for a tool that reads: a backup can be made meanwhile, and a start is possible during one", async () => {
    using directory = temporaryDirectory();
    const file = join(directory.path, "chat.db");
    await using first = start(file);
    await signUp(await first.ready(), "ann");
    const tool = new BetterSqlite(file, { readonly: true });
    tool.exec("begin; select count(*) from user");
    await first.end("SIGTERM");
    await using second = start(file);
    await second.ready();
    tool.close();
  });

  test("is MikroORM's command line too", async () => {
    using directory = temporaryDirectory();
    const file = join(directory.path, "chat.db");
    await using first = start(file);
    await first.ready();
    const environment = { ...process.env, DATABASE_URL: `sqlite:${file}` };
    const { status, stderr } = spawnSync("npx", ["mikro-orm", "migration:list"], { cwd: root, env: environment, encoding: "utf8" });
    expect(stderr).toBe(`DATABASE_URL names a file that another Keenchat process has open: ${file}\n`);
    expect(status).toBe(78);
  });
});

describe("after kill -9", { timeout }, () => {
  /** A server that was killed, its last message only in the log of changes; and a backup without that message. */
  async function killed(directory: string) {
    const file = join(directory, "chat.db");
    const backup = join(directory, "backup.db");
    await using server = start(file);
    const place = await server.ready();
    const { token } = await signUp(place, "ann");
    await post(place, token, 1, "in the backup");
    const tool = new BetterSqlite(file, { readonly: true });
    await tool.backup(backup);
    tool.close();
    await post(place, token, 1, "after it");
    await server.end("SIGKILL");
    expect(statSync(`${file}-wal`).size).toBeGreaterThan(0);
    return { file, backup };
  }

  async function textsOf(file: string): Promise<string[]> {
    await using server = start(file);
    const { body } = await request(await server.ready(), "GET", "/message");
    await server.end("SIGTERM");
    return body.map(({ message_text }: { message_text: string }) => message_text);
  }

  test("a start finds everything, also where the whole folder was moved", async () => {
    using directory = temporaryDirectory();
    const { file } = await killed(directory.path);
    const moved = join(directory.path, "moved");
    mkdirSync(moved);
    for (const name of readdirSync(directory.path).filter((entry) => entry.startsWith("chat.db"))) {
      copyFileSync(join(directory.path, name), join(moved, name));
    }
    expect(await textsOf(file)).toEqual(["in the backup", "after it"]);
    expect(await textsOf(join(moved, "chat.db"))).toEqual(["in the backup", "after it"]);
  });

  test("a start finds everything where another process has written changes back meanwhile", async () => {
    using directory = temporaryDirectory();
    const file = join(directory.path, "chat.db");
    await using server = start(file);
    const place = await server.ready();
    const { token } = await signUp(place, "ann");
    await post(place, token, 1, "before");
    const noted = () => readFileSync(`${file}.checkpoint`, "utf8");
    const before = noted();
    const tool = new BetterSqlite(file);
    tool.pragma("wal_checkpoint(passive)");
    await until("another note", 5_000, () => noted() !== before);
    await post(place, token, 1, "after");
    await server.end("SIGKILL");
    expect(statSync(`${file}-wal`).size).toBeGreaterThan(0);
    expect(await textsOf(file)).toEqual(["before", "after"]);
    tool.close();
  });

  test.each([
    ["copied over it", (backup: string, file: string) => copyFileSync(backup, file)],
    ["moved to its place", (backup: string, file: string) => renameSync(backup, file)],
  ])("a backup that is %s is not mixed with the changes beside it, which are named", async (_, restore) => {
    using directory = temporaryDirectory();
    const { file, backup } = await killed(directory.path);
    restore(backup, file);
    await using refused = start(file);
    expect(await refused.ended).toEqual({ code: 78, signal: null });
    expect(refused.stderr.items).toEqual([expect.stringMatching(new RegExp(`^DATABASE_URL .*replaced.* ${file}-wal: remove that`))]);
    rmSync(`${file}-wal`);
    expect(await textsOf(file)).toEqual(["in the backup"]);
  });
});

test("a reader in another process lets the log of changes grow, and it is small again when that is gone", { timeout }, async () => {
  using directory = temporaryDirectory();
  const file = join(directory.path, "chat.db");
  await using server = start(file);
  const place = await server.ready();
  const { token } = await signUp(place, "ann");
  const mebibyte = 1024 * 1024;
  const tool = new BetterSqlite(file, { readonly: true });
  tool.exec("begin");
  tool.prepare("select count(*) from user").get();
  const bytes = () => statSync(`${file}-wal`).size;
  await until("a large log", 60_000, async () => {
    const posts = Array.from({ length: 20 }, () => post(place, token, 1, "x".repeat(10_000)));
    expect((await Promise.all(posts)).every(({ status }) => status === 201)).toBe(true);
    return bytes() > 6 * mebibyte;
  });
  tool.close();
  await until("a small one", 5_000, () => bytes() < mebibyte);
});

test("sqlite::memory: has left nothing in the temporary folder, even where it is killed", { timeout }, async () => {
  using directory = temporaryDirectory();
  await using server = startProcess({ DATABASE_URL: "sqlite::memory:", TMPDIR: directory.path });
  const place = await server.ready();
  const { token } = await signUp(place, "ann");
  expect((await post(place, token, 1, "kept for a while")).status).toBe(201);
  expect(readdirSync(directory.path)).toEqual([]);
  await server.end("SIGKILL");
});
