/** Single packets that end other servers: each is answered, on both ports, and the process lives. */
import { once } from "node:events";
import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { post, request, signUp } from "../support/http.ts";
import { openRaw, parseAnswer, sendRaw } from "../support/raw.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { within } from "../support/wait.ts";
import { openSse } from "../support/wires.ts";

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.close());

const ports = ["restUrl", "wsUrl"] as const;
const close = "Connection: close\r\n";
const get = (target: string, host = "localhost", extra = "") => `GET ${target} HTTP/1.1\r\nHost: ${host}\r\n${extra}${close}\r\n`;
const upgrade = (target: string, extra = "", host = "localhost") =>
  `GET ${target} HTTP/1.1\r\nHost: ${host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n${extra}\r\n`;
const key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n";

/** Well-formed HTTP: answered in JSON. */
const http: Record<string, [packet: string, ...statuses: number[]]> = {
  "a target of two slashes": [get("//"), 404],
  "a target of two slashes and a colon": [get("//:"), 404],
  "a target with an open bracket": [get("http://["), 400],
  "a target in absolute form": [get("http://somewhere.example/nothing"), 404],
  "an absolute target without a path": [get("http://somewhere.example"), 200, 404],
  "an absolute target of another scheme": [get("ftp://somewhere.example/"), 400],
  "a target that is no path": [get("*"), 400],
  "broken percent encoding": [get("/user/%zz"), 400],
  "percent encoding that is not UTF-8": [get("/user/%ff%fe"), 400],
  "percent encoding of NUL": [get("/user%00"), 404],
  "dots and slashes": [get("/..%2f..%2fetc/passwd"), 404],
  TRACE: [`TRACE / HTTP/1.1\r\nHost: a\r\n${close}\r\n`, 404, 405],
  CONNECT: [`CONNECT somewhere.example:443 HTTP/1.1\r\nHost: somewhere.example:443\r\n\r\n`, 400],
  "a method nobody knows": [`FOO /channel HTTP/1.1\r\nHost: a\r\n${close}\r\n`, 405],
  "a method in lower case": [`get /channel HTTP/1.1\r\nHost: a\r\n${close}\r\n`, 405],
  "CONNECT with a path": ["CONNECT /user HTTP/1.1\r\nHost: a\r\n\r\n", 404, 405],
  "an open bracket as Host": [get("/live", "[bad"), 400],
  "a Host with a path": [get("/live", "a/b"), 400],
  "a Host with a user": [get("/live", "a@b"), 400],
  "a Host that is no address": [get("/live", "999.999.999.999"), 400],
  "a Host with no such port": [get("/live", "a:99999"), 400],
  "an empty Host": [get("/live", ""), 400],
  "no Host": [`GET /live HTTP/1.1\r\n${close}\r\n`, 400],
  "an offer of h2c": [
    get("/nothing", "a", "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n").replace("close", "Upgrade, HTTP2-Settings, close"),
    404,
  ],
  "an expectation that is unknown": [get("/nothing", "a", "Expect: the-impossible\r\n"), 404, 417],
  "an upgrade to a path of two slashes": [upgrade("//", key), 404],
  "an upgrade to //:": [upgrade("//:", key), 404],
  "an upgrade to http://[": [upgrade("http://[", key), 400],
  "an upgrade with a broken Host": [upgrade("/", key, "[bad"), 400],
  "an upgrade with broken percent encoding": [upgrade("/%zz?auth=%ff", key), 400],
  "an upgrade to nowhere": [upgrade("/nowhere", key), 404],
  "an upgrade without a key": [upgrade("/"), 400],
  "an upgrade with a key that is none": [upgrade("/", "Sec-WebSocket-Key: x\r\nSec-WebSocket-Version: 13\r\n"), 400],
  "an upgrade of a version that is unknown": [upgrade("/", key.replace("13", "99")), 400, 426],
  "an upgrade by POST": [upgrade("/", key).replace("GET", "POST"), 400, 405],
  "an upgrade with two different tokens": [upgrade("/?auth=a", `${key}Authorization: Bearer b\r\n`), 400],
};

/** Not HTTP: a bare status. */
const noHttp: Record<string, [packet: string | Uint8Array, status: number]> = {
  "binary garbage": [Uint8Array.from({ length: 512 }, (_, index) => (index * 89 + 7) % 256), 400],
  "a TLS hello": [Buffer.from("16030100c8010000c403030000000000", "hex"), 400],
  "the preface of HTTP/2": ["PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400],
  "a relative target": [get("user"), 400],
  "a space in the target": ["GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 400],
  "a header without a colon": ["GET / HTTP/1.1\r\nHost a\r\n\r\n", 400],
  "two lengths": ["POST /auth HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx", 400],
  "a length and chunks": ["POST /auth HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400],
  "a broken chunk": ["POST /auth HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}", 400],
  "headers that are too large": [`GET / HTTP/1.1\r\nHost: a\r\nX: ${"x".repeat(70_000)}\r\n\r\n`, 431],
  "a target that is too long": [`GET /${"x".repeat(70_000)} HTTP/1.1\r\nHost: a\r\n\r\n`, 431],
};

describe.each(ports)("the port of %s", (port) => {
  test.each(Object.entries(http))("answers %s in JSON", async (_name, [packet, ...statuses]) => {
    const answer = parseAnswer(await sendRaw(server[port], packet));
    expect(statuses).toContain(answer.status);
    expect(answer.headers.get("x-request-id")).toBeTruthy();
    expect(answer.headers.get("referrer-policy")).toBe("no-referrer");
    if (answer.status >= 400) {
      expect(answer.headers.get("content-type")).toBe("application/json; charset=utf-8");
      expect(answer.headers.get("cache-control")).toBe("no-store");
      expect(JSON.parse(answer.text)).toMatchObject({
        error: expect.any(String),
        code: expect.any(String),
        request_id: expect.any(String),
      });
    }
    expect((await request(server, "GET", "/live")).status).toBe(200);
  });

  test.each(Object.entries(noHttp))("answers %s with a bare status", async (_name, [packet, status]) => {
    const answer = parseAnswer(await sendRaw(server[port], packet));
    expect(answer).toMatchObject({ status, text: "" });
    expect((await request(server, "GET", "/live")).status).toBe(200);
  });

  test("answers OPTIONS *", async () => {
    const answer = parseAnswer(await sendRaw(server[port], `OPTIONS * HTTP/1.1\r\nHost: a\r\n${close}\r\n`));
    expect(answer.status).toBe(204);
  });

  test("bears requests that stop half-way, everywhere in them", async () => {
    const body = JSON.stringify({ username: "ann", password: "correct horse" });
    const whole = `POST /auth?a=b HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
    for (const packet of [whole, upgrade("/trpc", key)]) {
      for (let length = 1; length < packet.length; length += 7) {
        const connection = await openRaw(server[port]);
        await connection.write(packet.slice(0, length));
        connection.hangUp();
      }
    }
    expect((await request(server, "GET", "/live")).status).toBe(200);
  });

  test("bears broken frames and a cut right after an upgrade", async () => {
    for (const target of ["/", "/trpc", "/?connectionParams=1", "/trpc?connectionParams=1"]) {
      for (const frame of [
        "ff00",
        "8100",
        "81fe0001",
        "c18500000000",
        "8980ffffffff",
        "81ffffffffffffffffff00000000",
        "8882000000000001",
      ]) {
        const connection = await openRaw(server[port]);
        await connection.write(Buffer.concat([Buffer.from(upgrade(target, key)), Buffer.from(frame, "hex")]));
        connection.hangUp();
      }
    }
    expect((await request(server, "GET", "/live")).status).toBe(200);
  });
});

test.each([
  ["an upgrade", upgrade("/nowhere", key)],
  ["garbage", "garbage\r\n\r\n"],
])("a peer that keeps its half open after %s was refused is not waited for", async (_name, packet) => {
  const { hostname, port } = new URL(server.wsUrl);
  const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true });
  socket.on("error", () => {});
  socket.resume();
  socket.write(packet);
  await within(10_000, "the answer", once(socket, "end"));
  // Only a connection that is gone on the other side refuses what is written to it.
  const gone = new Promise((resolve) => socket.once("close", resolve));
  const knock = () => void (socket.destroyed || socket.write("still here", () => setImmediate(knock)));
  knock();
  await within(10_000, "the reset", gone);
});

test("a request without a Host is answered where HTTP/1.0 allows it", async () => {
  const answer = parseAnswer(await sendRaw(server.restUrl, "GET /live HTTP/1.0\r\n\r\n"));
  expect(answer.status).toBe(200);
});

test("names with underscores, ports and IPv6 addresses are hosts", async () => {
  for (const host of ["chat_server:5000", "[::1]:5000", "LOCALHOST", "xn--bcher-kva.example"]) {
    expect([host, parseAnswer(await sendRaw(server.restUrl, get("/live", host))).status]).toEqual([host, 200]);
    expect([host, parseAnswer(await sendRaw(server.restUrl, get("/trpc/channel.list", host))).status]).toEqual([host, 200]);
  }
});

test("several requests in one packet are answered in their order", async () => {
  const text = await sendRaw(
    server.restUrl,
    `GET /live HTTP/1.1\r\nHost: a\r\n\r\nGET /nothing HTTP/1.1\r\nHost: a\r\n\r\n${get("/channel/1")}`,
  );
  expect(text.match(/HTTP\/1\.1 \d{3}/g)).toEqual(["HTTP/1.1 200", "HTTP/1.1 404", "HTTP/1.1 200"]);
});

test.each([
  ["CONNECT", "CONNECT somewhere:1 HTTP/1.1\r\nHost: somewhere:1\r\n\r\n"],
  ["an upgrade", upgrade("/", key)],
])("%s that was sent ahead of an answer ends its connection, and writes nothing into it", async (_name, ahead) => {
  for (const port of ports) {
    const text = await sendRaw(server[port], `GET /live HTTP/1.1\r\nHost: a\r\n\r\n${ahead}`);
    expect(text).not.toContain("HTTP/1.1 101");
    expect(text.match(/HTTP\/1\.1 /g)?.length ?? 0).toBeLessThan(2);
  }
  expect((await request(server, "GET", "/live")).status).toBe(200);
});

test("a request that was sent ahead waits for the answer before it, and nobody else does", async () => {
  const { token } = await signUp(server, "ahead");
  const connection = await openRaw(server.restUrl);
  const body = JSON.stringify({ channel_id: 1, message_text: "sent ahead" });
  const stream = "GET /event HTTP/1.1\r\nHost: a\r\nAccept: text/event-stream\r\n\r\n";
  const ahead = `POST /message HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${token}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
  await connection.write(stream + ahead);
  const watcher = await openSse(server);
  await watcher.inbox.take("ready", ({ event }) => event === "ready");
  await post(server, token, 1, "marker");
  await watcher.inbox.take("the marker", ({ data }) => data.message_text === "marker");
  connection.hangUp();
  await post(server, token, 1, "last");
  await watcher.inbox.take("the last", ({ data }) => data.message_text === "last");
  expect((await request(server, "GET", "/message")).body.map((each: { message_text: string }) => each.message_text)).toEqual([
    "marker",
    "last",
  ]);
  watcher.cut();
});

test("nothing of this was an error of the server", () => {
  expect(server.logged.filter((line) => JSON.parse(line).level >= 50)).toEqual([]);
});
