import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { Ajv } from "ajv";
import formats from "ajv-formats";
import { afterAll, beforeAll, expect, test } from "vitest";
import { catalogue } from "../../src/api.ts";
import { answers, commands } from "../../src/transports/commands.ts";
import { request } from "../support/http.ts";
import { startServer, type TestServer } from "../support/server.ts";

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.close());

test("the AsyncAPI document is valid AsyncAPI 3", async () => {
  const document = await request(server, "GET", "/asyncapi.json");
  const schema = JSON.parse(readFileSync(createRequire(import.meta.url).resolve("@asyncapi/specs/schemas/3.0.0-without-$id.json"), "utf8"));
  const ajv = new Ajv({ strict: false, allErrors: true });
  formats.default(ajv);
  const validate = ajv.compile(schema);
  validate(document.body);
  expect(validate.errors ?? []).toEqual([]);
});

test("it names every event, answer and command, and no other", async () => {
  const { body } = await request(server, "GET", "/asyncapi.json");
  const named = Object.values(body.components.messages).map((message) => (message as { name: string }).name);
  const known = [...catalogue.map(({ name }) => name), ...Object.keys(answers), ...Object.keys(commands)];
  expect(named.sort()).toEqual(known.sort());
});

test("every reference in it leads somewhere", async () => {
  const { body, text } = await request(server, "GET", "/asyncapi.json");
  const references = [...text.matchAll(/"\$ref":"#\/([^"]+)"/g)].map(([, path = ""]) => path.split("/"));
  expect(references.length).toBeGreaterThan(50);
  for (const path of references)
    expect(
      path.reduce((node, part) => node?.[part], body),
      path.join("/"),
    ).toBeDefined();
});
