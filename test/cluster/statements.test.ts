/** How many statements a reader of the log costs PostgreSQL, seen on the wire. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { TestClock } from "../support/clock.ts";
import { createPostgres, postgresUrl, type TestDatabase } from "../support/database.ts";
import { request } from "../support/http.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { TcpProxy } from "../support/tcp-proxy.ts";
import { openPlain, openSse, openTrpcSse, openTrpcWs, type Reader } from "../support/wires.ts";

let database: TestDatabase;
let wire: TcpProxy;
let server: TestServer;
/** The statements that were executed, in order. */
let statements: string[];

function cString(data: Buffer, start: number): string {
  return data.toString("utf8", start, data.indexOf(0, start));
}

/** Reads the messages of PostgreSQL's protocol that prepare a statement, or execute one. */
function listen(proxy: TcpProxy): void {
  const preparedBy = new WeakMap<object, Map<string, string>>();
  proxy.onQuestion = (data, client) => {
    const prepared = preparedBy.get(client) ?? new Map<string, string>();
    preparedBy.set(client, prepared);
    for (let at = data[0] === 0 ? data.length : 0; at < data.length; at += 1 + data.readInt32BE(at + 1)) {
      const first = cString(data, at + 5);
      const second = () => cString(data, at + 5 + Buffer.byteLength(first) + 1);
      const type = String.fromCharCode(data[at] ?? 0);
      if (type === "P") prepared.set(first, second());
      if (type === "B") statements.push(prepared.get(second()) ?? "");
      if (type === "Q") statements.push(first);
    }
  };
}

beforeAll(async () => {
  database = await createPostgres();
  wire = await TcpProxy.start(Number(new URL(postgresUrl).port));
  statements = [];
  listen(wire);
  const url = Object.assign(new URL(database.url), { port: String(wire.port) }).href;
  // Its clock stands still: no statement is made by the time alone.
  server = await startServer({ DATABASE_URL: url }, { clock: new TestClock() });
}, 60_000);
afterAll(async () => {
  await server.close();
  await wire.close();
  await database.drop();
});

async function ready(reader: Reader): Promise<void> {
  await reader.inbox.take("ready", ({ event }) => event === "ready");
  reader.cut();
}

test.each<[string, (cursor: string) => Promise<unknown>]>([
  ["a poll", (cursor) => request(server, "GET", `/event?cursor=${cursor}`)],
  ["a poll over tRPC", (cursor) => request(server, "GET", `/trpc/event.list?input=${encodeURIComponent(JSON.stringify({ cursor }))}`)],
  ["a resumed stream", async (cursor) => ready(await openSse(server, { cursor }))],
  ["a resumed subscription over HTTP", (cursor) => ready(openTrpcSse(server, { cursor }))],
  ["a resumed subscription over WebSocket", (cursor) => ready(openTrpcWs(server, { cursor }))],
  ["a resumed plain socket", async (cursor) => ready(await openPlain(server, { cursor }))],
])("%s asks once for the log's head", async (_, read) => {
  const { cursor } = (await request(server, "GET", "/event")).body;
  statements.length = 0;
  await read(cursor);
  expect(statements).toEqual([expect.stringMatching(/from .*event/)]);
});
