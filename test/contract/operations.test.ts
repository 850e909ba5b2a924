/** What holds for every documented operation alike: its shared refusals, methods, headers and spellings. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { password, request, signUp } from "../support/http.ts";
import { holdAgainstDocument, operations } from "../support/openapi.ts";
import { openRaw } from "../support/raw.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { within } from "../support/wait.ts";

let server: TestServer;
let token: string;
beforeAll(async () => {
  server = await startServer();
  ({ token } = await signUp(server, "ann"));
});
afterAll(() => server.close());

const all = operations.map(({ method, path, operation }) => ({
  method,
  path: path.replace("{id}", "1"),
  template: path,
  takesBody: operation.requestBody !== undefined,
}));
const reads = all.filter(({ method }) => method === "GET");
const named = all.map((one) => ({ ...one, name: `${one.method} ${one.template}` }));

const errorShape = { error: expect.any(String), message: expect.any(String), code: expect.any(String), request_id: expect.any(String) };

/** How one gets a token is asked by those who have none, or an old one. */
const forAnybody = new Set(["POST /auth", "POST /user"]);

describe.each(named.filter(({ name }) => !forAnybody.has(name)))("$name", ({ method, path, takesBody }) => {
  const body = takesBody ? { body: {} } : {};

  test("refuses two different tokens, and takes the same one twice", async () => {
    const different = await request(server, method, `${path}?auth=${token}`, { ...body, headers: { authorization: "Bearer other" } });
    expect(different.status).toBe(400);
    expect(different.body).toMatchObject({ ...errorShape, code: "BAD_REQUEST" });
    const same = await request(server, method, `${path}?auth=other`, { ...body, headers: { authorization: "Bearer other" } });
    expect(same.status).toBe(401);
  });

  test("refuses a token that is not good, and lets nobody store the answer", async () => {
    for (const options of [{ headers: { authorization: "Bearer nonsense" } }, { headers: { authorization: "Basic YTpi" } }]) {
      const { status, headers, body: answer } = await request(server, method, path, { ...body, ...options });
      expect(status).toBe(401);
      expect(headers.get("www-authenticate")).toBe("Bearer");
      expect(answer).toMatchObject({ ...errorShape, code: "UNAUTHORIZED" });
      expect(answer.request_id).toBe(headers.get("x-request-id"));
      expect(answer.message).toBe(answer.error);
    }
    for (const query of ["?auth=nonsense", "?auth="]) {
      const { status, headers } = await request(server, method, path + query, body);
      expect(status).toBe(401);
      expect(headers.get("cache-control")).toBe("no-store");
    }
    const encoded = await request(server, method, `${path}?%61uth=nonsense`, body);
    expect(encoded.headers.get("cache-control")).toBe("no-store");
    const repeated = await request(server, method, `${path}?auth=a&auth=a`, body);
    expect(repeated.status).toBe(400);
    expect(repeated.headers.get("cache-control")).toBe("no-store");
  });
});

describe.each(named)("$name", ({ method, path, takesBody }) => {
  const body = takesBody ? { body: {} } : {};

  test("answers with its headers", async () => {
    const { headers } = await request(server, method, path, {
      ...body,
      headers: { origin: "https://a.example", authorization: "Bearer x" },
    });
    expect(headers.get("referrer-policy")).toBe("no-referrer");
    expect(headers.get("access-control-allow-origin")).toBe("*");
    expect(headers.has("access-control-allow-credentials")).toBe(false);
    const exposed = headers.get("access-control-expose-headers")?.split(", ");
    expect(exposed).toEqual(expect.arrayContaining(["Link", "Location", "Retry-After", "X-Keenchat-Cursor", "X-Request-Id"]));
  });

  test("answers OPTIONS, a preflight and other methods with what it allows", async () => {
    const template = named.filter((one) => one.path === path).map((one) => one.method);
    const expected = [...template, ...(template.includes("GET") ? ["HEAD"] : []), "OPTIONS"].sort();
    const allowed = (header: string | null) => header?.split(", ").sort();
    const asked = "authorization, traceparent,x-requested-with ,trpc-accept";
    const preflight = await request(server, "OPTIONS", path, {
      headers: { origin: "https://a.example", "access-control-request-method": method, "access-control-request-headers": asked },
    });
    expect(preflight.status).toBe(204);
    expect(allowed(preflight.headers.get("access-control-allow-methods"))).toEqual(expected);
    expect(preflight.headers.get("access-control-allow-headers")).toBe(asked);
    expect(preflight.headers.get("vary")).toContain("Access-Control-Request-Headers");
    const options = await request(server, "OPTIONS", path);
    expect(options.status).toBe(204);
    expect(allowed(options.headers.get("allow"))).toEqual(expected);
    const patch = await request(server, "PATCH", path, { raw: "{}" });
    expect(patch.status).toBe(405);
    expect(patch.body).toMatchObject({ ...errorShape, code: "METHOD_NOT_SUPPORTED" });
    expect(allowed(patch.headers.get("allow"))).toEqual(expected);
  });
});

describe.each(named.filter(({ takesBody }) => takesBody))("$name", ({ method, path }) => {
  test("takes a body of exactly 128 KiB and refuses a byte more, before it asks who sends it", async () => {
    const pad = (size: number) => `{"x":"${"a".repeat(size - 8)}"}`;
    const fits = await request(server, method, path, { raw: pad(128 * 1024), token });
    expect(fits.status).toBe(400);
    const over = await request(server, method, path, { raw: pad(128 * 1024 + 1) });
    expect(over.status).toBe(413);
    expect(over.body).toMatchObject({ ...errorShape, code: "PAYLOAD_TOO_LARGE" });
  });

  test("refuses a body that is not declared as JSON, and says which header to add", async () => {
    for (const type of [
      "text/plain",
      "application/x-www-form-urlencoded",
      "application/json; charset=latin1",
      'application/json; a="b"; Charset = "UTF-16"',
      "application/json; charset=utf-8; charset=latin1",
      "application/jsonx",
      "application /json",
      ";application/json",
      "",
    ]) {
      const refused = await request(server, method, path, { raw: "{}", token, headers: { "content-type": type } });
      expect(refused.status).toBe(415);
      expect(refused.body).toMatchObject({ ...errorShape, code: "UNSUPPORTED_MEDIA_TYPE" });
      expect(refused.body.error).toContain("Content-Type: application/json");
    }
    const packed = await request(server, method, path, { raw: "{}", token, headers: { "content-encoding": "gzip" } });
    expect(packed.status).toBe(415);
    expect(packed.body.error).toContain("Content-Encoding");
    const types = [
      ...[
        "application/json",
        "application/json; charset=utf-8",
        'Application/JSON;charset="UTF-8"',
        "application/json ; charset=US-ASCII;",
      ],
      ...[
        "application/json;odata=verbose",
        'application/json; profile="a;charset=latin1"; v=1',
        'application/json; a="\\";charset=latin1',
        "application/json;;",
        "application/json; q",
        "application/json; charset",
      ],
    ];
    for (const type of types) {
      const taken = await request(server, method, path, { raw: "{}", token, headers: { "content-type": type } });
      expect(taken.status).toBe(400);
    }
  });

  test("refuses what is no JSON object", async () => {
    const invalid = [
      Uint8Array.of(0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d),
      "{",
      "[]",
      "null",
      "1",
      '"x"',
      "{'a':1}",
      "\ufeff\ufeff{}",
      "\ufeff",
      "{}\ufeff",
      "[".repeat(60_000),
    ];
    for (const raw of invalid) {
      const refused = await request(server, method, path, { raw, token });
      expect(refused.status).toBe(400);
      expect(refused.body).toMatchObject({ ...errorShape, code: "BAD_REQUEST" });
    }
    expect((await request(server, method, path, { token })).status).toBe(400);
  });
});

describe.each(reads.map((one) => ({ ...one, name: `GET ${one.template}` })))("$name", ({ path }) => {
  test("gives a position to follow from, also with HEAD, whose headers are those of GET", async () => {
    const got = await request(server, "GET", path, { token });
    const head = await request(server, "HEAD", path, { token });
    expect(got.headers.get("x-keenchat-cursor")).toMatch(/^[A-Za-z0-9._-]{1,64}$/);
    expect(head.status).toBe(got.status);
    expect(head.text).toBe("");
    for (const name of ["content-type", "x-keenchat-cursor", "cache-control", "link"])
      expect(head.headers.get(name)).toBe(got.headers.get(name));
    if (got.status === 200) expect(head.headers.get("content-length")).toBe(got.headers.get("content-length"));
    expect(got.headers.get("cache-control")).toBe("no-store");
  });

  test("ignores a trailing slash, unknown parameters and those named like a prototype's", async () => {
    const plain = await request(server, "GET", path, { token });
    const odd = "x=1&x=2&constructor=1&__proto__=2&toString=3&hasOwnProperty=4&a[]=5&__proto__[limit]=6";
    for (const variant of [`${path}/`, `${path}/?`, `${path}?${odd}`, `${path}/?${odd}#part`]) {
      const answer = await request(server, "GET", variant, { token });
      expect(answer.status).toBe(plain.status);
      if (plain.status === 200) expect(answer.body).toEqual(plain.body);
    }
  });

  test("refuses a URL that is not UTF-8", async () => {
    for (const variant of [`${path}?x=%zz`, `${path}?%ff=1`, `${path}?x=%C0%AF`])
      expect((await request(server, "GET", variant)).status).toBe(400);
  });
});

test("a server that stops answers 503 to every operation, and says when to try again", async () => {
  const stopping = await startServer();
  // Half of each request is there before the stop, so that its connection is none of those that are closed as idle.
  const started = await Promise.all(
    named.map(async (one) => {
      const connection = await openRaw(stopping.restUrl);
      await connection.write(`${one.method} ${one.path} HTTP/1.1\r\nHost: localhost\r\n`);
      return { ...one, connection };
    }),
  );
  // The server has read the halves once it answers somebody who came after them.
  await request(stopping, "GET", "/live");
  const closed = stopping.close();
  for (const { connection, method, path } of started) {
    await connection.write("Content-Length: 0\r\n\r\n");
    const answer = await connection.answer();
    holdAgainstDocument(method, path, answer);
    expect(answer.status).toBe(503);
    expect(Number(answer.headers.get("retry-after"))).toBeGreaterThan(0);
    expect(JSON.parse(answer.text)).toMatchObject({ ...errorShape, code: "SERVICE_UNAVAILABLE" });
  }
  await within(15_000, "the stop", closed);
});

test.each([
  ["/user", ""],
  ["/trpc/user.post", ""],
  ["/user", "GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n"],
])("a server that stops answers %s that is under way, and says that it is the connection's last (behind it: %j)", async (path, behind) => {
  const stopping = await startServer();
  const connection = await openRaw(stopping.restUrl);
  const body = JSON.stringify({ username: "ann", password });
  await connection.write(
    `POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}${behind}`,
  );
  // The server has read it once it answers somebody who came after it; the password takes it longer.
  await request(stopping, "GET", "/live");
  const closed = stopping.close();
  const answer = await connection.answer();
  expect([200, 201]).toContain(answer.status);
  expect(answer.headers.get("connection")).toBe("close");
  await within(15_000, "the stop", closed);
});

test("a path that is none is 404, in JSON", async () => {
  for (const path of [
    "/nothing",
    "/user/1/2",
    "/user//1",
    "//",
    "/channel/1/typing/2",
    "/__proto__",
    "/constructor",
    "/message/%2e%2e/%2fetc",
  ]) {
    const { status, body } = await request(server, "GET", path);
    expect([path, status]).toEqual([path, 404]);
    expect(body).toMatchObject({ ...errorShape, code: "NOT_FOUND" });
  }
});
