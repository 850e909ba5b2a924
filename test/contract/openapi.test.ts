/** The OpenAPI document is valid, and is what the server serves. */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Validator } from "@seriousme/openapi-schema-validator";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { routes } from "../../src/transports/rest/routes.ts";
import { request } from "../support/http.ts";
import { document, holdAgainstDocument, operations, unseen, validator } from "../support/openapi.ts";
import { startServer, type TestServer } from "../support/server.ts";

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.close());

test("the served document is valid OpenAPI 3.1", async () => {
  const served = await request(server, "GET", "/openapi.json");
  expect(served.status).toBe(200);
  expect(served.body).toEqual({ ...document, servers: [{ url: server.restUrl }] });
  expect(served.body.openapi).toMatch(/^3\.1\./);
  const validator = new Validator();
  const result = await validator.validate(structuredClone(served.body));
  expect(result.errors).toBeUndefined();
  expect(result.valid).toBe(true);
});

test("it has every path of the contract and no other", () => {
  expect(operations.map(({ method, path }) => `${method} ${path}`).sort()).toEqual(
    [
      "POST /auth",
      "GET /auth",
      "DELETE /auth",
      "GET /user",
      "GET /user/{id}",
      "POST /user",
      "GET /channel",
      "GET /channel/{id}",
      "POST /channel",
      "PUT /channel/{id}",
      "DELETE /channel/{id}",
      "GET /channel/{id}/users",
      "POST /channel/{id}/typing",
      "DELETE /channel/{id}/typing",
      "GET /message",
      "GET /message/{id}",
      "POST /message",
      "PUT /message/{id}",
      "DELETE /message/{id}",
      "GET /event",
    ].sort(),
  );
  expect(operations).toHaveLength(routes.length);
});

test("where reading needs a token, the document says so", async () => {
  await using closed = await startServer({ ANONYMOUS_READ: "false" });
  const { body } = await request(closed, "GET", "/openapi.json");
  expect(body.paths["/message"].get.security).toEqual([{ bearer: [] }]);
  expect(body.paths["/auth"].post.security).toEqual([]);
  expect(body.paths["/user"].post.security).toEqual([{}, { bearer: [] }]);
  const open = (await request(server, "GET", "/openapi.json")).body;
  expect(open.paths["/message"].get.security).toContainEqual({});
  expect(open.paths["/message"].post.security).not.toContainEqual({});
});

/** Each node of the document with the key it stands under; examples are values. */
function* nodes(value: unknown, key = ""): Generator<readonly [key: string, node: Record<string, unknown>]> {
  if (typeof value !== "object" || value === null || key.startsWith("example")) return;
  if (!Array.isArray(value)) yield [key, value as Record<string, unknown>];
  for (const [name, child] of Object.entries(value)) yield* nodes(child, Array.isArray(value) ? key : name);
}

describe("a generator of clients finds", () => {
  test("names that are names in every language, each once, and none of a language's own", () => {
    const ids = operations.map(({ operation }) => operation.operationId);
    const names = Object.keys(document.components.schemas);
    for (const name of [...ids, ...names]) expect(name).toMatch(/^[A-Za-z]\w*$/);
    expect(new Set([...ids, ...names]).size).toBe(ids.length + names.length);
    expect(ids).toContain("messagePost");
    for (const taken of ["Error", "Self", "Event", "Object", "String"]) expect(names).not.toContain(taken);
  });

  test("nothing that it would take for a closed shape, or that it does not know", () => {
    for (const [key, node] of nodes(document)) {
      expect(node["additionalProperties"], key).toBeUndefined();
      if (key !== "properties") expect(Object.keys(node), key).not.toContain("const");
      if (node["maximum"] === Number.MAX_SAFE_INTEGER) expect(node["format"], key).toBe("int64");
    }
  });

  test("a named shape wherever there is an object", () => {
    for (const [key, node] of nodes(document.paths)) if (key !== "properties") expect(node["properties"], key).toBeUndefined();
    for (const schema of Object.values(document.components.schemas))
      for (const [key, node] of nodes((schema as { properties?: object }).properties ?? {}))
        if (key !== "properties" && key !== "") expect(node["properties"], key).toBeUndefined();
  });

  test("what tells the shapes of a union apart", () => {
    const unions = [...nodes(document)].filter(([, node]) => "oneOf" in node);
    expect(unions).toHaveLength(1);
    for (const [, node] of unions) {
      const { propertyName, mapping } = node["discriminator"] as { propertyName: string; mapping: Record<string, string> };
      expect(Object.values(mapping)).toEqual((node["oneOf"] as { $ref: string }[]).map(({ $ref }) => $ref));
      for (const [value, $ref] of Object.entries(mapping)) {
        const { properties, required } = document.components.schemas[$ref.split("/").at(-1) ?? ""] as {
          properties: Record<string, { enum: string[] }>;
          required: string[];
        };
        expect(properties[propertyName]?.enum).toEqual([value]);
        expect(required).toContain(propertyName);
      }
    }
  });

  test("one way to send a token, where one is of use", () => {
    for (const { operation } of operations) {
      for (const scheme of operation.security.flatMap((alternative) => Object.keys(alternative))) expect(scheme).toBe("bearer");
    }
    expect([...nodes(document)].filter(([, node]) => node["in"] === "query" && node["name"] === "auth")).toEqual([]);
  });

  test("an example of every request and every answer, that fits its schema", () => {
    let seen = 0;
    for (const { method, path, operation } of operations) {
      for (const parameter of operation.parameters)
        if (parameter.in === "path") expect(parameter.example, `${method} ${path}`).toEqual(expect.any(Number));
      const bodies: [string[], Record<string, { schema: object; example: unknown }>][] = [];
      if (operation.requestBody) bodies.push([["requestBody"], operation.requestBody.content]);
      for (const [status, { content }] of Object.entries(operation.responses)) if (content) bodies.push([["responses", status], content]);
      for (const [where, content] of bodies) {
        for (const [type, { example }] of Object.entries(content)) {
          const validate = validator("paths", path, method.toLowerCase(), ...where, "content", type, "schema");
          expect(validate(example), `${method} ${path} ${where}: ${JSON.stringify(example)}`).toBe(true);
          seen += 1;
        }
      }
    }
    expect(seen).toBeGreaterThan(80);
  });
});

test("it leads to the server as its reader knows it", async () => {
  const urlsOf = async (of: TestServer, headers: Record<string, string>) =>
    (await request(of, "GET", "/openapi.json", { headers })).body.servers.map(({ url }: { url: string }) => url);
  const forwarded = { "x-forwarded-proto": "https", "x-forwarded-for": "203.0.113.7" };
  expect(await urlsOf(server, {})).toEqual([server.restUrl]);
  // Who is no proxy of ours says nothing of the scheme.
  expect(await urlsOf(server, forwarded)).toEqual([server.restUrl]);
  await using behind = await startServer({ TRUSTED_PROXIES: "127.0.0.1" });
  expect(await urlsOf(behind, forwarded)).toEqual([behind.restUrl.replace("http:", "https:")]);
  await using named = await startServer({ PUBLIC_URL: "https://example.com/chat/" });
  expect(await urlsOf(named, forwarded)).toEqual(["/chat", "https://example.com/chat"]);
});

test("an answer that is not as documented is noticed", () => {
  const headers = new Headers({ "content-type": "application/json", "x-request-id": "1", "x-keenchat-cursor": "1.a" });
  const user = { id: 1, username: "ann" };
  const hold = (status: number, body: unknown, changed: Record<string, string> = {}) => {
    const all = new Headers(headers);
    for (const [name, value] of Object.entries(changed)) value === "" ? all.delete(name) : all.set(name, value);
    holdAgainstDocument("GET", "/user/1?x=2", { status, headers: all, text: JSON.stringify(body) });
  };
  expect(() => hold(200, user)).not.toThrow();
  expect(() => hold(500, user)).toThrow("not documented");
  expect(() => hold(200, { ...user, password: "x" })).toThrow("does not fit");
  expect(() => hold(200, { ...user, id: "1" })).toThrow("does not fit");
  expect(() => hold(200, user, { "x-request-id": "" })).toThrow("without X-Request-Id");
  expect(() => hold(200, user, { location: "/user/1" })).toThrow("undocumented Location");
  expect(() => hold(200, user, { "content-type": "text/html" })).toThrow("text/html");
});

test("a documented status that was never seen is noticed", () => {
  const directory = mkdtempSync(join(tmpdir(), "keenchat-seen-"));
  const all = operations.flatMap(({ operation }) => Object.keys(operation.responses).map((status) => `${operation.operationId} ${status}`));
  writeFileSync(join(directory, "1"), all.slice(1).join("\n"));
  expect(unseen(directory)).toEqual(all.slice(0, 1));
  writeFileSync(join(directory, "2"), `${all[0]}\n`);
  expect(unseen(directory)).toEqual([]);
  rmSync(directory, { recursive: true });
});
