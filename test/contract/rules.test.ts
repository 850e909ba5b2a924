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
  await using server = await startServer({ CORS_ORIGINS: "https://a.example,https://b.example:8443" });
  const allowed = async (origin: string) => {
    const answers = [
      await request(server, "GET", "/channel", { headers: { origin } }),
      await request(server, "GET", "/nothing", { headers: { origin } }),
      await request(server, "OPTIONS", "/message", { headers: { origin, "access-control-request-method": "POST" } }),
    ];
    for (const { headers } of answers) {
      expect(headers.get("vary")).toBe("Origin");
      expect(headers.has("access-control-allow-credentials")).toBe(false);
    }
    return new Set(answers.map(({ headers }) => headers.get("access-control-allow-origin")));
  };
  expect(await allowed("https://a.example")).toEqual(new Set(["https://a.example"]));
  expect(await allowed("https://b.example:8443")).toEqual(new Set(["https://b.example:8443"]));
  for (const origin of ["https://c.example", "http://a.example", "https://a.example.evil.example", "null"])
    expect(await allowed(origin)).toEqual(new Set([null]));
});

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
