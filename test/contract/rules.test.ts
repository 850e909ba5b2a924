/** What the variables of the configuration change about REST: who may read, from which page, through which proxy. */
import { expect, test } from "vitest";
import { request, signUp } from "../support/http.ts";
import { parseAnswer, sendRaw } from "../support/raw.ts";
import { startServer } from "../support/server.ts";

const reads = ["/user", "/user/1", "/channel", "/channel/1", "/channel/1/users", "/message", "/message/1", "/event", "/auth"];

test("ANONYMOUS_READ=false: every read is 401 without a token, and as ever with one", async () => {
  await using server = await startServer({ ANONYMOUS_READ: "false" });
  const { token } = await signUp(server, "ann");
  for (const path of reads) {
    for (const method of ["GET", "HEAD"]) {
      const refused = await request(server, method, path);
      expect([path, refused.status]).toEqual([path, 401]);
    }
    expect([200, 404]).toContain((await request(server, "GET", path, { token })).status);
  }
  expect((await request(server, "GET", "/event", { headers: { accept: "text/event-stream" } })).status).toBe(401);
  for (const procedure of ["user.list", "channel.list", "message.list", "event.list"])
    expect((await request(server, "GET", `/trpc/${procedure}`)).status).toBe(401);
  expect(
    (await request(server, "GET", "/trpc/events", { headers: { accept: "text/event-stream" } })).headers.get("content-type"),
  ).toContain("event-stream");
  expect((await request(server, "GET", "/live")).status).toBe(200);
  expect((await request(server, "GET", "/openapi.json")).status).toBe(200);
});

test("CORS_ORIGINS as a list: those pages may read answers and open sockets, no others", async () => {
  await using server = await startServer({ CORS_ORIGINS: "https://a.example,https://b.example:8443,capacitor://localhost" });
  const allowed = async (origin: string) => {
    const answers = [
      await request(server, "GET", "/channel", { headers: { origin } }),
      await request(server, "GET", "/nothing", { headers: { origin } }),
      await request(server, "OPTIONS", "/message", { headers: { origin, "access-control-request-method": "POST" } }),
    ];
    for (const { headers } of answers) {
      expect(headers.get("vary")?.split(", ")).toContain("Origin");
      expect(headers.has("access-control-allow-credentials")).toBe(false);
    }
    return new Set(answers.map(({ headers }) => headers.get("access-control-allow-origin")));
  };
  expect(await allowed("https://a.example")).toEqual(new Set(["https://a.example"]));
  expect(await allowed("https://b.example:8443")).toEqual(new Set(["https://b.example:8443"]));
  expect(await allowed("capacitor://localhost")).toEqual(new Set(["capacitor://localhost"]));
  for (const origin of [
    "https://c.example",
    "http://a.example",
    "https://a.example.evil.example",
    "null",
    "capacitor://localhost:1",
    "http://localhost",
  ])
    expect(await allowed(origin)).toEqual(new Set([null]));
});

test("a page may read a refusal as well: no preflight is refused, whatever it asks about", async () => {
  await using server = await startServer({ CORS_ORIGINS: "https://a.example" });
  const preflight = (url: string, path: string, method: string, asked: string, origin = "https://a.example") =>
    request({ restUrl: url.replace("ws", "http") }, "OPTIONS", path, {
      headers: { origin, "access-control-request-method": method, "access-control-request-headers": asked },
    });
  const batch = Array.from({ length: 200 }, () => "user.list").join(",");
  const refused: [url: string, path: string, method: string][] = [
    [server.restUrl, "/nothing", "PATCH"],
    [server.restUrl, "/user/%zz", "GET"],
    [server.restUrl, "/docs/nothing", "GET"],
    [server.restUrl, `/trpc/${batch}?batch=1`, "GET"],
    [server.restUrl, "/socket.io/?cursor=1&cursor=2", "POST"],
    [server.wsUrl, "/user", "GET"],
  ];
  for (const [url, path, method] of refused) {
    const { status, headers } = await preflight(url, path, method, "traceparent");
    expect([path, status, headers.get("access-control-allow-headers")]).toEqual([path, 204, "traceparent"]);
    expect(headers.get("access-control-allow-methods")?.split(", ")).toContain(method);
    expect(headers.get("access-control-allow-origin")).toBe("https://a.example");
    expect((await preflight(url, path, method, "traceparent", "https://b.example")).headers.has("access-control-allow-origin")).toBe(false);
  }
  for (const asked of ["", "a b", "a,,b", "a;b", "a, "]) {
    const { status, headers } = await preflight(server.restUrl, "/message", "POST", asked);
    expect([asked, status, headers.has("access-control-allow-headers")]).toEqual([asked, 204, false]);
  }
});

test.each(["*", "https://a.example"])(
  "CORS_ORIGINS=%s: Socket.IO is polled with credentials by allowed origins, whatever it answers, and nothing else is",
  async (origins) => {
    await using server = await startServer({ CORS_ORIGINS: origins });
    const from = (origin: string) => ({ origin });
    const polling = [
      "/socket.io/?EIO=3&transport=polling",
      "/socket.io/?EIO=3&transport=polling&sid=none",
      "/socket.io/?EIO=9",
      "/socket.io/?cursor=1&cursor=2",
      "/socket.io",
    ];
    for (const url of [server.restUrl, server.wsUrl.replace("ws", "http")]) {
      for (const path of polling) {
        for (const method of ["GET", "POST", "OPTIONS"]) {
          const { headers } = await request({ restUrl: url }, method, path, { headers: from("https://a.example") });
          expect([path, headers.get("access-control-allow-origin")]).toEqual([path, "https://a.example"]);
          expect(headers.get("access-control-allow-credentials")).toBe("true");
          expect(headers.get("vary")).toContain("Origin");
        }
        const other = await request({ restUrl: url }, "GET", path, { headers: from("https://b.example") });
        expect(other.headers.get("access-control-allow-origin")).toBe(origins === "*" ? "https://b.example" : null);
        expect(other.headers.has("access-control-allow-credentials")).toBe(origins === "*");
      }
      for (const path of ["/nothing", "/socket.iox", "/socket.io/x", "/x/socket.io/", "/trpc/user.list", "/", "/?/socket.io/"])
        expect(
          (await request({ restUrl: url }, "GET", path, { headers: from("https://a.example") })).headers.has(
            "access-control-allow-credentials",
          ),
        ).toBe(false);
    }
  },
);

test("only what was plainly made on this machine is from here: a proxy that says nothing of itself is told by its HTTP or its Host", async () => {
  await using server = await startServer();
  const { port } = new URL(server.restUrl);
  const ask = async (host: string, extra = "", version = "1.1", method = "GET /metrics", body = "") => {
    const length = body === "" ? "" : `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n`;
    const head = `${method} HTTP/${version}\r\nHost: ${host}\r\n${extra}${length}Connection: close\r\n\r\n`;
    return parseAnswer(await sendRaw(server.restUrl, head + body)).status;
  };
  for (const host of ["localhost", `localhost:${port}`, "LOCALHOST:1", "127.0.0.1", `127.0.0.1:${port}`, "127.9.9.9", "[::1]", "[::1]:80"])
    expect([host, await ask(host)]).toEqual([host, 200]);
  for (const host of ["chat.example", "localhost.example", "127.0.0.1.example", "192.0.2.1", "[::2]", "keenchat", "[::ffff:192.0.2.1]"])
    expect([host, await ask(host)]).toEqual([host, 403]);
  for (const name of ["Forwarded", "Via", "X-Real-IP", "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Port", "x-forwarded-whatever"])
    expect([name, await ask("localhost", `${name}: \r\n`)]).toEqual([name, 403]);
  expect(await ask("localhost", "", "1.0")).toBe(403);

  const body = JSON.stringify({ username: "mallory", password: "correct horse" });
  expect(await ask("127.0.0.1", "", "1.0", "POST /user", body)).toBe(201);
  const admin = async (username: string) => {
    const session = await request(server, "POST", "/auth", { body: { username, password: "correct horse" } });
    return (await request(server, "GET", "/auth", { token: session.body.token_value })).body.admin;
  };
  expect(await admin("mallory")).toBe(false);
  await signUp(server, "ann");
  expect(await admin("ann")).toBe(true);
});

test("a list of proxies, networks among them, does not make a forwarded request one from this machine", async () => {
  await using server = await startServer({ TRUSTED_PROXIES: "127.0.0.0/8, ::1, 10.1.0.0/16" });
  const headers = { "x-forwarded-for": "127.0.0.1" };
  const body = { username: "ann", password: "correct horse" };
  expect((await request(server, "POST", "/user", { body, headers })).status).toBe(201);
  const session = await request(server, "POST", "/auth", { body });
  expect((await request(server, "GET", "/auth", { token: session.body.token_value })).body.admin).toBe(false);
  for (const odd of ["", ",", "nonsense", "1.2.3.4:80, [::1]:3", "x".repeat(5_000), "::ffff:10.1.2.3, fe80::1%eth0"])
    expect((await request(server, "GET", "/channel", { headers: { "x-forwarded-for": odd, forwarded: odd } })).status).toBe(200);
});
