/** The tables of docs/ are held against the source, both ways. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { readConfig, variables } from "../../src/config.ts";
import { errorCodes } from "../../src/core/errors.ts";
import { definitions } from "../../src/transports/calls/procedures.ts";
import { closeCodes } from "../../src/transports/socket/connections.ts";
import { request } from "../support/http.ts";
import { type Document, readDocument } from "../support/markdown.ts";
import { startServer, type TestServer } from "../support/server.ts";

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.close());

function checkVariables(page: Document, names: string[]): void {
  const rows = page.table("variable", "default", "");
  const expected = Object.entries(variables.shape).filter(([name]) => names.includes(name));
  expect(rows.map(([name, , description]) => [name, description])).toEqual(
    expected.map(([name, { description }]) => [`\`${name}\``, description]),
  );
  for (const [name = "", value = ""] of rows) {
    const given = value === "unset" ? "" : value.slice(1, -1);
    expect(readConfig({ [name.slice(1, -1)]: given }), name).toEqual(readConfig({}));
  }
}

test("configuration: every variable with its default and its description, and no other", () => {
  checkVariables(readDocument("docs/operate.md"), Object.keys(variables.shape));
});

test("limits that can be set: all of them", () => {
  const names = Object.keys(variables.shape).filter((name) => name.startsWith("MAX_"));
  expect(names.length).toBeGreaterThan(0);
  checkVariables(readDocument("docs/limits.md"), names);
});

test("errors: every code, and no other", () => {
  const expected = Object.entries(errorCodes).map(([code, { status, text }]) => [`\`${code}\``, String(status), text]);
  expect(readDocument("docs/errors.md").table("code", "status", "text, where nothing better is known")).toEqual(expected);
});

test("close codes: every one the server uses, and no other", () => {
  // 1009 is sent by the WebSocket library.
  const expected = [...Object.values(closeCodes), 1009].sort((a, b) => a - b).map(String);
  const rows = readDocument("docs/close-codes.md").table("code", "", "what to do");
  expect(rows.map(([code]) => code)).toEqual(expected);
});

test("metrics: every one of our own, and no other", async () => {
  const { text } = await request(server, "GET", "/metrics");
  const expected = [...text.matchAll(/^# HELP (keenchat_\S+) (.*)$/gm)].map(([, name, help]) => [`\`${name}\``, help]);
  expect(expected.length).toBeGreaterThan(3);
  expect(readDocument("docs/operate.md").table("metric", "")).toEqual(expected);
});

/** A field of a procedure's input, as JSON schema. */
function fieldOf(procedure: string, field: string): z.core.JSONSchema.BaseSchema {
  const input = definitions.get(procedure)?.inputs[0] as z.ZodType;
  const found = z.toJSONSchema(input, { io: "input", unrepresentable: "any" }).properties?.[field];
  if (typeof found !== "object") throw new Error(`${procedure} has no field ${field}.`);
  return found;
}

test("limits of what is sent: as the fields say them", () => {
  const limits = new Map(readDocument("docs/limits.md").table("what", "limit") as [string, string][]);
  const described = {
    username: "user.post",
    password: "user.post",
    title: "channel.post",
    description: "channel.post",
    message_text: "message.post",
  };
  for (const [field, procedure] of Object.entries(described))
    expect(`${limits.get(`\`${field}\``)}.`, field).toBe(fieldOf(procedure, field).description);

  const key = fieldOf("message.post", "client_message_id");
  expect(limits.get("`client_message_id`")).toBe(`${key.minLength} to ${key.maxLength} characters`);
  const limit = fieldOf("message.list", "limit");
  expect(limits.get("`limit`")).toBe(`${limit.minimum} to ${limit.maximum}; ${limit.default} where it is missing`);
  const channels = fieldOf("events", "channel_id");
  expect(limits.get("channels in one filter")).toBe(`${channels.minItems} to ${channels.maxItems}`);
});
