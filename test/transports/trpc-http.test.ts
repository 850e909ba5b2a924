/** tRPC over HTTP: the real client, and the frames it would never send. */
import { createTRPCClient, httpBatchLink, httpBatchStreamLink, httpLink, httpSubscriptionLink, TRPCClientError } from "@trpc/client";
import { EventSource } from "eventsource";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { AppRouter } from "../../src/api.ts";
import { largestBacklog } from "../support/backlog.ts";
import { post, request, signUp } from "../support/http.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { Inbox } from "../support/wait.ts";

let server: TestServer;
let ann: { id: number; token: string };
beforeAll(async () => {
  server = await startServer();
  ann = await signUp(server, "ann");
});
afterAll(() => server.close());

const url = () => `${server.restUrl}/trpc`;
const client = (token?: string) =>
  createTRPCClient<AppRouter>({
    links: [httpBatchLink({ url: url(), headers: token === undefined ? {} : { authorization: `Bearer ${token}` } })],
  });

async function failure(promise: Promise<unknown>): Promise<TRPCClientError<AppRouter>> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof TRPCClientError)) throw new Error(`No tRPC error: ${String(error)}`);
  return error;
}

test("every procedure works, with inputs and outputs as in REST", async () => {
  const api = client(ann.token);
  expect(await api.auth.session.query()).toEqual((await request(server, "GET", "/auth", { token: ann.token })).body);
  const bob = await client().user.post.mutate({ username: "bob", password: "correct horse" });
  expect(await api.user.get.query({ id: bob.id })).toEqual({ id: bob.id, username: "bob" });
  expect(await api.user.list.query({ username: "BOB" })).toEqual([bob]);
  expect(await api.user.list.query()).toEqual((await request(server, "GET", "/user")).body);
  const channel = await api.channel.post.mutate({ title: "tRPC" });
  expect(channel).toEqual({ id: channel.id, title: "tRPC", description: "", user_id: ann.id });
  expect(await api.channel.put.mutate({ id: channel.id, title: "two", description: "x" })).toMatchObject({
    title: "two",
    description: "x",
  });
  expect(await api.channel.get.query({ id: channel.id })).toMatchObject({ title: "two" });
  expect((await api.channel.list.query()).map(({ id }) => id)).toContain(channel.id);
  expect(await api.channel.users.query({ id: channel.id })).toEqual({ channel_id: channel.id, users: [] });
  expect(await api.channel.startTyping.mutate({ id: channel.id })).toBeUndefined();
  expect(await api.channel.stopTyping.mutate({ id: channel.id })).toBeUndefined();
  const message = await api.message.post.mutate({ channel_id: channel.id, message_text: "hello", client_message_id: "1" });
  expect(await api.message.post.mutate({ channel_id: channel.id, message_text: "hello", client_message_id: "1" })).toEqual(message);
  expect(await api.message.put.mutate({ id: message.id, message_text: "changed" })).toMatchObject({ edited_at: expect.any(Number) });
  expect(await api.message.get.query({ id: message.id })).toMatchObject({ message_text: "changed" });
  expect(await api.message.list.query({ channel_id: channel.id })).toHaveLength(1);
  await api.message.delete.mutate({ id: message.id });
  expect(await api.message.list.query({ channel_id: channel.id })).toEqual([]);
  const head = await api.event.list.query();
  expect(head.events).toEqual([]);
  await api.channel.delete.mutate({ id: channel.id });
  const { events } = await api.event.list.query({ cursor: head.cursor });
  expect(events).toEqual([{ id: expect.any(String), event: "delete channel", data: { id: channel.id } }]);
  const session = await client().auth.login.mutate({ username: "bob", password: "correct horse" });
  await client(session.token_value).auth.logout.mutate();
  expect((await failure(client(session.token_value).auth.session.query())).data?.httpStatus).toBe(401);
});

test("an error holds code, status, path, request id and issues, and nothing else", async () => {
  const invalid = await failure(client(ann.token).message.post.mutate({ channel_id: 1, message_text: "" }));
  expect(Object.keys(invalid.data ?? {}).sort()).toEqual(["code", "httpStatus", "issues", "path", "request_id"]);
  expect(invalid.data).toMatchObject({ code: "BAD_REQUEST", httpStatus: 400, path: "message.post" });
  expect(invalid.data?.issues?.[0]?.path).toEqual(["message_text"]);
  const anonymous = await failure(client().channel.post.mutate({ title: "x" }));
  expect(anonymous.message).toBe("Please pass an auth token.");
  expect(Object.keys(anonymous.data ?? {}).sort()).toEqual(["code", "httpStatus", "path", "request_id"]);
  const unknown = await failure(client(ann.token).channel.get.query({ id: 999 }));
  expect(unknown.data).toMatchObject({ code: "NOT_FOUND", httpStatus: 404, path: "channel.get" });
});

interface Refusal {
  readonly name: string;
  readonly path: string;
  readonly method?: string;
  readonly raw?: string;
  readonly headers?: Record<string, string>;
  readonly status: number;
  readonly code: string;
}

const json = { "content-type": "application/json" };
const refusals: Refusal[] = [
  { name: "a token that is not good", path: "/user.list", headers: { authorization: "Bearer x" }, status: 401, code: "UNAUTHORIZED" },
  { name: "a token in the URL that is not good", path: "/user.list?auth=x", status: 401, code: "UNAUTHORIZED" },
  { name: "two different tokens", path: "/user.list?auth=x", headers: { authorization: "Bearer y" }, status: 400, code: "BAD_REQUEST" },
  {
    name: "a token among the connection parameters that is not good",
    path: '/user.list?connectionParams={"auth":"x"}',
    status: 401,
    code: "UNAUTHORIZED",
  },
  { name: "connection parameters that differ", path: '/user.list?auth=y&connectionParams={"auth":"x"}', status: 400, code: "BAD_REQUEST" },
  { name: "connection parameters that are no JSON", path: "/user.list?connectionParams={", status: 400, code: "BAD_REQUEST" },
  { name: "connection parameters that are no token", path: '/user.list?connectionParams={"auth":1}', status: 400, code: "BAD_REQUEST" },
  { name: "a number as text", path: '/user.list?input={"limit":"1"}', status: 400, code: "BAD_REQUEST" },
  { name: "a list as number", path: '/user.get?input={"id":[1]}', status: 400, code: "BAD_REQUEST" },
  { name: "null as number", path: '/user.get?input={"id":null}', status: 400, code: "BAD_REQUEST" },
  { name: "null as input", path: "/user.list?input=null", status: 400, code: "BAD_REQUEST" },
  { name: "input that is no JSON", path: "/user.list?input={", status: 400, code: "BAD_REQUEST" },
  { name: "input given twice", path: "/user.list?input={}&input={}", status: 400, code: "BAD_REQUEST" },
  { name: "a path that is none", path: "/nothing", status: 404, code: "NOT_FOUND" },
  { name: "a path named like a prototype's", path: "/constructor", status: 404, code: "NOT_FOUND" },
  { name: "a path deep in a prototype", path: "/user.__proto__.list", status: 404, code: "NOT_FOUND" },
  { name: "a mutation by GET", path: "/message.post", status: 405, code: "METHOD_NOT_SUPPORTED" },
  { name: "a query by POST", path: "/user.list", method: "POST", raw: "{}", headers: json, status: 405, code: "METHOD_NOT_SUPPORTED" },
  { name: "another method", path: "/user.list", method: "PUT", raw: "{}", headers: json, status: 405, code: "METHOD_NOT_SUPPORTED" },
  {
    name: "a body of another type",
    path: "/message.post",
    method: "POST",
    raw: "{}",
    headers: { "content-type": "text/plain" },
    status: 415,
    code: "UNSUPPORTED_MEDIA_TYPE",
  },
  {
    name: "a form",
    path: "/message.post",
    method: "POST",
    raw: "a=b",
    headers: { "content-type": "multipart/form-data; boundary=x" },
    status: 415,
    code: "UNSUPPORTED_MEDIA_TYPE",
  },
  { name: "no body and no type", path: "/message.post", method: "POST", status: 415, code: "UNSUPPORTED_MEDIA_TYPE" },
  {
    name: "a body that is too large",
    path: "/message.post",
    method: "POST",
    raw: " ".repeat(128 * 1024 + 1),
    headers: json,
    status: 413,
    code: "PAYLOAD_TOO_LARGE",
  },
  { name: "a body that is no JSON", path: "/auth.login", method: "POST", raw: "{", headers: json, status: 400, code: "BAD_REQUEST" },
];

test.each(refusals)("refuses $name in tRPC's shape", async ({ path, method = "GET", raw, headers, status, code }) => {
  const answer = await request(server, method, `/trpc${path}`, { ...(raw !== undefined && { raw }), headers: headers ?? {} });
  expect(answer.status).toBe(status);
  const { data, message } = answer.body.error;
  expect(data).toMatchObject({
    code,
    httpStatus: status,
    path: path.slice(1).split("?")[0],
    request_id: answer.headers.get("x-request-id"),
  });
  expect(
    Object.keys(data)
      .filter((key) => key !== "issues")
      .sort(),
  ).toEqual(["code", "httpStatus", "path", "request_id"]);
  if (status === 415) expect(message).toContain("Content-Type: application/json");
  if (status === 405) expect(answer.headers.get("allow")).toMatch(/GET|POST/);
  if (status === 401) expect(answer.headers.get("cache-control")).toBe("no-store");
});

test("a batch has at most 100 calls, each with its own answer", async () => {
  const batch = (count: number) =>
    request(server, "GET", `/trpc/${Array(count).fill("channel.list").join(",")}?batch=1&input={"1":{"limit":"1"}}`);
  const hundred = await batch(100);
  expect(hundred.status).toBe(207);
  expect(hundred.body).toHaveLength(100);
  expect(hundred.body[0].result.data).toHaveLength(2);
  expect(hundred.body[1].error.data).toMatchObject({
    code: "BAD_REQUEST",
    path: "channel.list",
    request_id: hundred.headers.get("x-request-id"),
  });
  const more = await batch(101);
  expect(more.status).toBe(400);
  expect(more.body.error.data).toMatchObject({ code: "BAD_REQUEST", request_id: more.headers.get("x-request-id") });
  expect((await request(server, "GET", "/trpc/channel.list,auth.logout?batch=1")).status).toBe(400);
});

test("a batch whose calls are all answered the same has that status", async () => {
  const batch = (paths: string, input = {}) => request(server, "GET", `/trpc/${paths}?batch=1&input=${JSON.stringify(input)}`);
  expect((await batch("channel.list,user.list")).status).toBe(200);
  expect((await batch("channel.get,channel.get", { 0: { id: 999 }, 1: { id: 998 } })).status).toBe(404);
  expect((await batch("nothing,nowhere")).status).toBe(404);
  expect((await batch("channel.list,channel.get", { 1: { id: 999 } })).status).toBe(207);
  const [listed] = (await batch("channel.list", [])).body;
  expect(listed.error.data).toMatchObject({ code: "BAD_REQUEST", path: "channel.list" });
});

test("what is streamed as lines must be a batch", async () => {
  const answer = await request(server, "GET", "/trpc/channel.list", { headers: { "trpc-accept": "application/jsonl" } });
  expect(answer.status).toBe(400);
  expect(answer.body.error.data).toMatchObject({ code: "BAD_REQUEST", path: "channel.list" });
});

describe.each([
  ["httpBatchLink", httpBatchLink],
  ["httpBatchStreamLink", httpBatchStreamLink],
])("with %s", (_name, link) => {
  const api = (token: string) =>
    createTRPCClient<AppRouter>({ links: [link({ url: url(), headers: { authorization: `Bearer ${token}` } })] });

  test("sixty queries of one tick are answered, each by its own", async () => {
    const ids = Array.from({ length: 60 }, (_, index) => index);
    const answers = await Promise.allSettled(ids.map((id) => api(ann.token).channel.get.query({ id })));
    const together = api(ann.token);
    const batched = await Promise.allSettled(ids.map((id) => together.channel.get.query({ id })));
    const outline = (settled: PromiseSettledResult<{ id: number }>[]) =>
      settled.map((each) => (each.status === "fulfilled" ? each.value.id : each.reason.data.code));
    expect(outline(batched)).toEqual(outline(answers));
    expect(outline(batched).slice(0, 3)).toEqual(["BAD_REQUEST", 1, 2]);
  });

  test("sixty posts of one tick are each carried out once, in their order", async () => {
    const { token } = await signUp(server, `poster-${link.name}`);
    const channel = await api(token).channel.post.mutate({ title: "batch" });
    const texts = Array.from({ length: 60 }, (_, index) => `post ${index}`);
    const together = api(token);
    const posted = await Promise.all(texts.map((message_text) => together.message.post.mutate({ channel_id: channel.id, message_text })));
    expect(posted.map(({ message_text }) => message_text)).toEqual(texts);
    const listed = await together.message.list.query({ channel_id: channel.id, limit: 200 });
    expect(listed).toEqual(posted);
    expect(await together.message.delete.mutate({ id: listed[0]?.id ?? 0 })).toBeUndefined();
  });

  test("pages that are large together come all, though the server keeps none of them for long", async () => {
    const { token } = await signUp(server, `writer-${link.name}`);
    const channel = await api(token).channel.post.mutate({ title: "large" });
    const text = `x${"\u0001".repeat(9_999)}`;
    await Promise.all(Array.from({ length: 30 }, () => post(server, token, channel.id, text)));
    const together = api(token);
    largestBacklog();
    const pages = await Promise.all(Array.from({ length: 20 }, () => together.message.list.query({ channel_id: channel.id, limit: 200 })));
    for (const page of pages) expect(page).toEqual(pages[0]);
    expect(pages[0]?.length).toBeGreaterThan(10);
    expect(largestBacklog()).toBeLessThan(2 * 1024 * 1024);
  });
});

test("answers to a token are not stored, and reads give a position", async () => {
  const { headers } = await request(server, "GET", "/trpc/user.list", { token: ann.token });
  expect(headers.get("cache-control")).toBe("no-store");
  expect(headers.get("x-keenchat-cursor")).toBeTruthy();
  expect((await request(server, "OPTIONS", "/trpc/message.post")).headers.get("allow")).toBe("POST, OPTIONS");
});

test.each(["events", "channel.presence"])("the stream of %s to a token is not stored", async (path) => {
  const response = await fetch(`${url()}/${path}?input=${encodeURIComponent('{"id":1}')}`, {
    headers: { accept: "text/event-stream", authorization: `Bearer ${ann.token}` },
  });
  await response.body?.cancel();
  expect(response.headers.get("content-type")).toBe("text/event-stream");
  expect(response.headers.get("cache-control")).toBe("no-store, no-transform");
});

test("too many sign-ins at once are refused with the time to try again", async () => {
  const login = () => request(server, "POST", "/trpc/auth.login", { body: { username: "nobody", password: "wrong password" } });
  const answers = await Promise.all(Array.from({ length: 60 }, login));
  const refused = answers.filter(({ status }) => status === 429);
  expect(refused.length).toBeGreaterThan(0);
  for (const { headers, body } of refused) {
    expect(Number(headers.get("retry-after"))).toBeGreaterThan(0);
    expect(body.error.data.code).toBe("TOO_MANY_REQUESTS");
  }
});

/** The client hands on tracked items as they are; their type shows the data alone. */
function untrack(item: unknown): { id: string; event: string; data: unknown } {
  const { id, data } = item as { id: string; data: { event: string; data: unknown } };
  return { id, ...data };
}

function subscribe(token: string | undefined) {
  const inbox = new Inbox<{ id: string; event: string; data: unknown }>();
  const errors = new Inbox<unknown>();
  const api = createTRPCClient<AppRouter>({
    links: [httpSubscriptionLink({ url: url(), EventSource, connectionParams: () => (token === undefined ? {} : { auth: token }) })],
  });
  const subscription = api.events.subscribe({}, { onData: (item) => inbox.push(untrack(item)), onError: (error) => errors.push(error) });
  return { inbox, errors, close: () => subscription.unsubscribe() };
}

test("a subscription over server-sent events begins with ready and goes on live", async () => {
  for (const token of [undefined, ann.token]) {
    const { inbox, close } = subscribe(token);
    const ready = await inbox.take("ready", ({ event }) => event === "ready");
    expect(ready).toEqual({ id: (ready.data as { cursor: string }).cursor, event: "ready", data: { cursor: ready.id } });
    const { body } = await post(server, ann.token, 1, "over sse");
    expect(await inbox.take("the message", ({ event }) => event === "post message")).toMatchObject({ id: expect.any(String), data: body });
    close();
  }
});

test("a subscription whose token is not good fails, and one ends with its session", async () => {
  const refused = subscribe("nonsense");
  await refused.errors.take("the refusal", () => true);
  refused.close();

  const { body: session } = await request(server, "POST", "/auth", { body: { username: "ann", password: "correct horse" } });
  const response = await fetch(`${url()}/events?connectionParams=${encodeURIComponent(JSON.stringify({ auth: session.token_value }))}`, {
    headers: { accept: "text/event-stream" },
  });
  expect(response.status).toBe(200);
  const ended = response.text().catch(() => "cut");
  expect((await request(server, "DELETE", "/auth", { token: session.token_value })).status).toBe(204);
  await ended;
});

test("one call without a batch works too", async () => {
  const api = createTRPCClient<AppRouter>({ links: [httpLink({ url: url() })] });
  expect(await api.channel.get.query({ id: 1 })).toEqual({ id: 1, title: "General", description: "General discussion.", user_id: null });
});

test("nothing of this was an error of the server", () => {
  expect(server.logged.filter((line) => JSON.parse(line).level >= 50)).toEqual([]);
});
