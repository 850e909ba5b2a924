/** Nothing that HTTP can carry makes the server fail, or say what it should not. `FUZZ_SEED` and `FUZZ_RUNS` repeat or lengthen a run. */
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { definitions } from "../../src/transports/calls/procedures.ts";
import { type Answer, request, signUp } from "../support/http.ts";
import { operations } from "../support/openapi.ts";
import { startServer, type TestServer } from "../support/server.ts";

const seed = Number(process.env["FUZZ_SEED"] ?? Date.now() % 2 ** 31);
const numRuns = Number(process.env["FUZZ_RUNS"] ?? 300);
const timeout = 120_000;

let server: TestServer;
let token: string;
beforeAll(async () => {
  console.info(`FUZZ_SEED=${seed}`);
  server = await startServer();
  // An admin would soon have removed every channel.
  await signUp(server, "admin");
  ({ token } = await signUp(server, "ann"));
});
afterAll(async () => {
  expect(server.logged.filter((line) => JSON.parse(line).level >= 50)).toEqual([]);
  expect((await request(server, "GET", "/live")).status).toBe(200);
  await server.close();
});

/** Words of stacks, of SQL, of places on this machine. */
const telltale = /\bat .*:\d+:\d+|node_modules|\.ts\b|\/(home|root|tmp|src)\/|sqlite|select .* from|insert into|constraint|UNIQUE|mikro/i;

function expectHarmless(answer: Answer, what: unknown): void {
  const context = JSON.stringify(what).slice(0, 500);
  expect(answer.status, context).toBeLessThan(500);
  // What somebody stored may say anything; what the server says of a refusal may not.
  if (answer.status >= 400) expect(answer.text, context).not.toMatch(telltale);
}

const fields = [
  "id",
  "channel_id",
  "user_id",
  "message_text",
  "client_message_id",
  "title",
  "description",
  "username",
  "password",
  "limit",
  "after",
  "before",
  "cursor",
  "time",
  "auth",
];
const odd = ["__proto__", "constructor", "prototype", "toString", "hasOwnProperty", "then", "length", ""];
const name = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom(...fields) },
  fc.constantFrom(...odd),
  fc.string({ unit: "binary", maxLength: 10 }),
);
const text = fc.oneof(
  fc.string({ unit: "binary", maxLength: 80 }),
  fc.constantFrom("\u0000", "\ud800", "' or 1=1 --", '"; drop table user; --', "%00", "{{x}}", "1".repeat(400)),
);
const value = fc.oneof(
  { weight: 4, arbitrary: text },
  { weight: 4, arbitrary: fc.integer({ min: -2, max: 5 }) },
  fc.double(),
  fc.jsonValue({ maxDepth: 3 }),
);
const body = fc.oneof({ weight: 6, arbitrary: fc.dictionary(name, value, { maxKeys: 6, noNullPrototype: false }) }, fc.jsonValue());
const header = fc.string({
  unit: fc.integer({ min: 0x20, max: 0xff }).map((code) => (code === 0x7f ? " " : String.fromCharCode(code))),
  maxLength: 30,
});
const headerName = fc.constantFrom(
  "idempotency-key",
  "last-event-id",
  "accept",
  "origin",
  "x-forwarded-for",
  "forwarded",
  "content-type",
  "content-encoding",
  "authorization",
  "if-none-match",
  "range",
  "accept-encoding",
  "cookie",
);
/** Texts that URLSearchParams would mend are sent as they are, byte by byte. */
const percent = (part: string) => [...Buffer.from(part, "utf8")].map((byte) => `%${byte.toString(16).padStart(2, "0")}`).join("");
const query = fc
  .array(fc.tuple(name, fc.oneof(text, fc.integer().map(String), fc.uint8Array({ maxLength: 4 }))), { maxLength: 4 })
  .map((pairs) =>
    pairs
      .map(([key, one]) => `${percent(key)}=${typeof one === "string" ? percent(one) : percent(Buffer.from(one).toString("latin1"))}`)
      .join("&"),
  );
/** Neither a stream that never ends, nor the end of the session that the other runs use. */
const mild = (headers: Record<string, string>) => ({ ...headers, ...(headers["accept"]?.includes("event-stream") && { accept: "*/*" }) });
const operation = fc.constantFrom(...operations.filter(({ operation: { operationId } }) => operationId !== "authLogout"));
const id = fc.oneof(
  { weight: 3, arbitrary: fc.integer({ min: 1, max: 5 }).map(String) },
  text.map(percent).filter((part) => part !== ""),
);

test("random requests to REST", { timeout }, async () => {
  const one = fc.record({
    operation,
    id,
    query,
    body,
    headers: fc.dictionary(headerName, header, { maxKeys: 2, noNullPrototype: true }),
    signedIn: fc.boolean(),
    raw: fc.boolean(),
  });
  const property = fc.asyncProperty(
    one,
    async ({ operation: { method, path }, id: part, query: search, body: content, headers, signedIn, raw }) => {
      const target = `${path.replace("{id}", part)}${search === "" ? "" : `?${search}`}`;
      const payload = method === "GET" || method === "HEAD" ? {} : raw ? { raw: JSON.stringify(content).slice(1) } : { body: content };
      const answer = await request(server, method, target, {
        ...payload,
        headers: mild(headers),
        ...(signedIn && !headers["authorization"] && { token }),
      });
      expectHarmless(answer, { method, target, content, headers });
    },
  );
  await fc.assert(property, { seed, numRuns, endOnFailure: true });
});

test("random calls to tRPC", { timeout }, async () => {
  const names = [...definitions].filter(([path, { type }]) => type !== "subscription" && path !== "auth.logout").map(([path]) => path);
  const call = fc.record({
    path: fc.oneof({ weight: 5, arbitrary: fc.constantFrom(...names) }, name),
    input: fc.oneof({ weight: 6, arbitrary: body }, text),
    batch: fc.boolean(),
    byGet: fc.boolean(),
    signedIn: fc.boolean(),
  });
  const property = fc.asyncProperty(call, async ({ path, input, batch, byGet, signedIn }) => {
    const content = JSON.stringify(batch ? { 0: input, 1: input } : input) ?? "";
    const target = `/trpc/${percent(batch ? `${path},${path}` : path)}${batch ? "?batch=1" : "?"}`;
    const answer = byGet
      ? await request(server, "GET", `${target}&input=${percent(content)}`, signedIn ? { token } : {})
      : await request(server, "POST", target, { raw: content, ...(signedIn && { token }) });
    expectHarmless(answer, { target, content });
    for (const { error } of [answer.body].flat().filter((part) => part?.error?.data)) {
      expect(Object.keys(error).sort()).toEqual(["code", "data", "message"]);
      expect(
        Object.keys(error.data)
          .filter((key) => key !== "issues")
          .sort(),
      ).toEqual(["code", "httpStatus", "path", "request_id"]);
    }
  });
  await fc.assert(property, { seed, numRuns, endOnFailure: true });
});

test("text that is taken comes back as it was sent", { timeout }, async () => {
  const good = fc
    .string({ unit: "grapheme", minLength: 1, maxLength: 200 })
    .filter((one) => one.trim() !== "" && one.isWellFormed() && !one.includes("\0"));
  const property = fc.asyncProperty(good, async (messageText) => {
    const posted = await request(server, "POST", "/message", { token, body: { channel_id: 1, message_text: messageText } });
    expect(posted.status).toBe(201);
    expect((await request(server, "GET", `/message/${posted.body.id}`)).body.message_text).toBe(messageText);
  });
  await fc.assert(property, { seed, numRuns: Math.ceil(numRuns / 3), endOnFailure: true });
});
