import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { Ajv } from "ajv";
import formats from "ajv-formats";
import { afterAll, beforeAll, expect, test } from "vitest";
import { catalogue } from "../../src/api.ts";
import { answers, commands } from "../../src/transports/shim/commands.ts";
import { request } from "../support/http.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { Inbox } from "../support/wait.ts";

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

test("every payload is a shape with a name, open, told apart by its event, and its example fits", async () => {
  const { body, text } = await request(server, "GET", "/asyncapi.json");
  expect(text).not.toMatch(/"additionalProperties":false|"const":/);
  const ajv = new Ajv({ strict: false, formats: { int64: true } });
  ajv.addSchema(body, "asyncapi");
  type Message = { name: string; payload: { $ref: string }; examples: [{ payload: unknown }] };
  for (const [name, { name: event, payload, examples }] of Object.entries<Message>(body.components.messages)) {
    expect(payload.$ref).toBe(`#/components/schemas/${name}`);
    expect(body.components.schemas[name].properties.event).toMatchObject({ enum: [event], title: expect.stringMatching(/^[A-Z]\w+$/) });
    expect(ajv.compile({ $ref: `asyncapi${payload.$ref}` })(examples[0].payload), name).toBe(true);
  }
  for (const name of Object.keys(body.components.schemas)) expect(name).toMatch(/^[A-Z]\w+$/);
});

test("it leads to the server as its reader knows it, encrypted where that is", async () => {
  const { body } = await request(server, "GET", "/asyncapi.json");
  const { host } = new URL(server.restUrl);
  expect(body.servers).toMatchObject({ sockets: { host, protocol: "ws" }, http: { host, protocol: "http" } });
  await using behind = await startServer({ TRUSTED_PROXIES: "127.0.0.1" });
  const { body: forwarded } = await request(behind, "GET", "/asyncapi.json", { headers: { "x-forwarded-proto": "https" } });
  expect(forwarded.servers).toMatchObject({ sockets: { protocol: "wss" }, http: { protocol: "https" } });
  await using named = await startServer({ PUBLIC_URL: "https://example.com/chat" });
  const place = { host: "example.com", pathname: "/chat" };
  const { body: below } = await request(named, "GET", "/asyncapi.json");
  expect(below.servers).toMatchObject({ sockets: { ...place, protocol: "wss" }, http: { ...place, protocol: "https" } });
});

test("a socket opens where it says", async () => {
  const { body } = await request(server, "GET", "/asyncapi.json");
  const { protocol, host } = body.servers.sockets;
  const { address } = body.channels.plain;
  const socket = new WebSocket(`${protocol}://${host}${address}`);
  const frames = new Inbox<string>();
  socket.addEventListener("message", ({ data }) => frames.push(JSON.parse(data).event));
  socket.addEventListener("open", () => socket.send(JSON.stringify({ event: "connection" })));
  await frames.take("ready", (event) => event === "ready", 5_000);
  socket.close();
});
