/** A start over PostgreSQL: one that cannot work ends, and any other waits until it can, and says what for. */
import { once } from "node:events";
import { Agent, get, type IncomingMessage } from "node:http";
import { connect } from "node:net";
import process from "node:process";
import { EventSource } from "eventsource";
import pg from "pg";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createPostgres, postgresUrl, runAsOwner, type TestDatabase } from "../support/database.ts";
import { request } from "../support/http.ts";
import { serverFile, startProcess } from "../support/process.ts";
import { freePort } from "../support/redis-server.ts";
import { TcpProxy } from "../support/tcp-proxy.ts";
import { Inbox, until } from "../support/wait.ts";

const timeout = 90_000;

test("nodes that start together on an empty database migrate it once", { timeout }, async () => {
  const database = await createPostgres();
  const nodes = [0, 1, 2].map(() => startProcess({ DATABASE_URL: database.url }, { command: [process.execPath, serverFile] }));
  const urls = await Promise.all(nodes.map((node) => node.ready()));
  for (const url of urls) expect((await request(url, "GET", "/channel")).body.map(({ id }: { id: number }) => id)).toEqual([1, 2]);
  expect((await runAsOwner("select 1 from event where name = 'origin'", database.url)).rowCount).toBe(1);
  for (const node of nodes) await node[Symbol.asyncDispose]();
  await database.drop();
});

test.each([
  ["a database that is not there", (url: URL) => Object.assign(url, { pathname: "/keenchat_test_nowhere" })],
  ["a user who is not there", (url: URL) => Object.assign(url, { username: "keenchat_test_nobody" })],
  ["an sslrootcert that is not there", (url: URL) => Object.assign(url, { search: "sslrootcert=/nowhere" })],
  ["an sslcert that is not there", (url: URL) => Object.assign(url, { search: "sslcert=/nowhere" })],
  ["an sslkey that is not there", (url: URL) => Object.assign(url, { search: "sslkey=/nowhere" })],
])("%s stops the start with one line and exit code 78", { timeout }, async (_, change) => {
  await using node = startProcess({ DATABASE_URL: change(new URL(postgresUrl)).href }, { command: [process.execPath, serverFile] });
  expect(await node.ended).toEqual({ code: 78, signal: null });
  expect(node.stderr.items).toHaveLength(1);
  expect(node.stderr.items[0]).toMatch(/^DATABASE_URL cannot be used: /);
});

test.each([
  ["a search_path that leads nowhere", "options=-c%20search_path%3Dnowhere", /search_path/],
  ["a parameter of a wrong value", "options=-c%20statement_timeout%3Dabc", /statement_timeout/],
  ["TLS where the server has none", "sslmode=no-verify", /SSL/],
  ["verified TLS where the server has none", "sslmode=require", /SSL/],
])("%s stops the start with one line and exit code 78", { timeout }, async (_, search, reason) => {
  const url = Object.assign(new URL(postgresUrl), { search }).href;
  await using node = startProcess({ DATABASE_URL: url }, { command: [process.execPath, serverFile] });
  expect(await node.ended).toEqual({ code: 78, signal: null });
  expect(node.stderr.items).toEqual([expect.stringMatching(reason)]);
  expect(node.stderr.items[0]).toMatch(/^DATABASE_URL /);
});

test.each(["LATIN1", "WIN1252", "SQL_ASCII"])(
  "a database in %s stops the start with one line and exit code 78",
  { timeout },
  async (encoding) => {
    const name = `keenchat_test_${encoding.toLowerCase()}_${process.pid}`;
    await runAsOwner(`create database ${name} encoding '${encoding}' template template0 lc_collate 'C' lc_ctype 'C'`);
    const url = Object.assign(new URL(postgresUrl), { pathname: `/${name}` }).href;
    await using node = startProcess({ DATABASE_URL: url }, { command: [process.execPath, serverFile] });
    expect(await node.ended).toEqual({ code: 78, signal: null });
    expect(node.stderr.items).toEqual([`DATABASE_URL names a database whose encoding is ${encoding}: make it with encoding 'UTF8'`]);
    await runAsOwner(`drop database ${name} with (force)`);
  },
);

describe("a start that has to wait", { timeout }, () => {
  let database: TestDatabase;
  let wire: TcpProxy;
  /** Somebody else at the same database. */
  let other: pg.Client;
  beforeEach(async () => {
    database = await createPostgres();
    wire = await TcpProxy.start(Number(new URL(postgresUrl).port));
    other = new pg.Client({ connectionString: database.url });
    await other.connect();
  });
  afterEach(async () => {
    await other.end();
    await wire.close();
    await database.drop();
  });

  async function start(environment: Record<string, string> = {}) {
    const url = Object.assign(new URL(database.url), { port: String(wire.port) }).href;
    const port = await freePort();
    const node = startProcess({ DATABASE_URL: url, PORT: String(port), ...environment }, { command: [process.execPath, serverFile] });
    const answer = (path: string) => request({ restUrl: `http://127.0.0.1:${port}` }, "GET", path).catch(() => undefined);
    return Object.assign(node, {
      port,
      answer,
      waits: (why: string) =>
        node.stdout.take("the wait", (line) => line.includes("waiting for the database") && line.includes(why), 60_000),
      isOpen: () => until("an open port", 60_000, async () => (await answer("/live"))?.status === 200),
    });
  }

  test("for a database that is away says so, and begins by itself; told to stop, it stops", async () => {
    wire.set("cut");
    await using node = await start();
    await node.waits("does not answer");
    const ready = await node.answer("/ready");
    expect(ready?.status).toBe(503);
    expect(ready?.body.error).toMatch(/^The database does not answer \(.+\)\.$/);
    expect((await node.answer("/channel"))?.status).toBe(503);
    const stream = new EventSource(`http://127.0.0.1:${node.port}/event`);
    const followed = new Inbox<string>();
    for (const name of ["error", "ready"]) stream.addEventListener(name, () => followed.push(`${name}, ${stream.readyState}`));
    await followed.take("a stream that will come back", (state) => state === `error, ${EventSource.CONNECTING}`);
    // Whoever does not hang up holds up nobody.
    const upgrade = connect({ port: node.port, host: "127.0.0.1", allowHalfOpen: true });
    upgrade.write("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
    await once(upgrade, "data");

    await using told = await start();
    await told.waits("does not answer");
    expect(await told.end("SIGTERM")).toEqual({ code: 0, signal: null });

    wire.set("pass");
    await node.ready();
    expect((await node.answer("/ready"))?.status).toBe(200);
    await followed.take("the stream", (state) => state === `ready, ${EventSource.OPEN}`, 20_000);
    stream.close();
  });

  test("answers on one connection from the wait to the end of the start", async () => {
    wire.set("cut");
    await using node = await start();
    await node.isOpen();
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const connections = new Set<unknown>();
    const status = async (path: string) => {
      const asked = get({ agent, host: "127.0.0.1", port: node.port, path });
      const [answer] = (await once(asked, "response")) as [IncomingMessage];
      connections.add(asked.socket);
      await answer.resume().toArray();
      return answer.statusCode;
    };
    expect(await status("/ready")).toBe(503);
    wire.set("pass");
    let ready = 503;
    while (ready !== 200) {
      expect(await status("/live")).toBe(200);
      ready = (await status("/ready")) ?? 0;
    }
    expect(await status("/channel")).toBe(200);
    expect(connections.size).toBe(1);
    agent.destroy();
  });

  test("for another node's migration says so, and begins when that is over", async () => {
    await other.query("select pg_advisory_lock(5336824)");
    await using node = await start();
    await node.waits("Another node migrates the database.");
    await node.isOpen();
    expect((await node.answer("/ready"))?.status).toBe(503);
    expect(await database.count("select count(*) as n from pg_tables where schemaname = 'public'")).toBe(0);
    await other.query("select pg_advisory_unlock(5336824)");
    await node.ready();
    expect((await node.answer("/ready"))?.status).toBe(200);
  });

  test.each([
    ["PostgreSQL falls silent", () => wire.set("swallow")],
    [
      "its lock is lost",
      () => other.query("select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and objid = 5336824"),
    ],
  ])("for a long migration of its own says so, breaks it off when %s, and does it again", async (_, interrupt) => {
    await other.query("begin");
    await other.query(`create table "channel" ("id" int)`);
    await using node = await start();
    await node.waits("The database is being opened.");
    await node.isOpen();
    expect(await node.answer("/ready")).toMatchObject({ status: 503, body: { error: "The database is being opened." } });

    await interrupt();
    await node.waits("The database does not answer (");
    expect((await node.answer("/live"))?.status).toBe(200);
    wire.set("pass");
    await other.query("rollback");
    await node.ready();
    expect((await node.answer("/ready"))?.status).toBe(200);
  });

  test.each([
    ["asks for the lock", "pg_advisory_lock"],
    ["migrates", `create table "channel"`],
    ["keeps its secret", `insert into "setting"`],
  ])("whose connection is cut as it %s waits and begins", async (_, question) => {
    const lost = wire.lose("question", (text) => text.includes(question));
    await using node = await start();
    await lost;
    await node.waits("does not answer");
    await node.ready();
    expect(node.stderr.items).toEqual([]);
  });
});
