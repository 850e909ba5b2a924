/** The OpenAPI document is valid, and is what the server serves. */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Validator } from "@seriousme/openapi-schema-validator";
import { afterAll, beforeAll, expect, test } from "vitest";
import { routes } from "../../src/transports/routes.ts";
import { request } from "../support/http.ts";
import { document, holdAgainstDocument, operations, unseen } from "../support/openapi.ts";
import { startServer, type TestServer } from "../support/server.ts";

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.close());

test("the served document is valid OpenAPI 3.1", async () => {
  const served = await request(server, "GET", "/openapi.json");
  expect(served.status).toBe(200);
  expect(served.body).toEqual(document);
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
  expect(body.paths["/message"].get.security).toEqual([{ bearer: [] }, { auth: [] }]);
  expect(body.paths["/auth"].post.security).toContainEqual({});
  const open = (await request(server, "GET", "/openapi.json")).body;
  expect(open.paths["/message"].get.security).toContainEqual({});
  expect(open.paths["/message"].post.security).not.toContainEqual({});
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
