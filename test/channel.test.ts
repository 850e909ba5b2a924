import { afterAll, beforeAll, expect, test } from "vitest";
import { post, request, signUp } from "./support/http.ts";
import { startServer, type TestServer } from "./support/server.ts";

let server: TestServer;
let admin: { id: number; token: string };
let ann: { id: number; token: string };
let bob: { id: number; token: string };
beforeAll(async () => {
  server = await startServer();
  admin = await signUp(server, "admin");
  ann = await signUp(server, "ann");
  bob = await signUp(server, "bob");
});
afterAll(() => server.close());

const make = (body: unknown, token: string | undefined = ann.token) => request(server, "POST", "/channel", { token, body });
const put = (id: number, body: unknown, token = ann.token) => request(server, "PUT", `/channel/${id}`, { token, body });

test("a fresh database holds the two original channels", async () => {
  await using fresh = await startServer();
  expect((await request(fresh, "GET", "/channel")).body).toEqual([
    { id: 1, title: "General", description: "General discussion.", user_id: null },
    { id: 2, title: "Code", description: "Electric sheep dreams.", user_id: null },
  ]);
});

test("a channel is made by who is signed in, and found at its Location", async () => {
  const made = await make({ title: "Ünï 🙂", description: "a\r\nb\u0001", id: 7, user_id: "nobody", time: [] });
  expect(made.status).toBe(201);
  expect(made.body).toEqual({ id: expect.any(Number), title: "Ünï 🙂", description: "a\r\nb\u0001", user_id: ann.id });
  expect(made.headers.get("location")).toBe(`/channel/${made.body.id}`);
  expect((await request(server, "GET", `/channel/${made.body.id}`)).body).toEqual(made.body);
  expect((await make({ title: "no description" })).body.description).toBe("");
  const anonymous = await request(server, "POST", "/channel", { body: { title: "x" } });
  expect(anonymous.status).toBe(401);
});

test("titles have 1 to 64 code points, descriptions at most 1,000, and neither what cannot be sent back", async () => {
  const cases: [object, number][] = [
    [{ title: "x" }, 201],
    [{ title: "🙂".repeat(64) }, 201],
    [{ title: "🙂".repeat(65) }, 400],
    [{ title: "x".repeat(65) }, 400],
    [{ title: "" }, 400],
    [{ title: " \t\n\u00a0\u2003\ufeff" }, 400],
    [{ title: " x " }, 201],
    [{ title: "a\u0000" }, 400],
    [{ title: "a\ud800" }, 400],
    [{ title: "\udc00a" }, 400],
    [{ title: 1 }, 400],
    [{ title: null }, 400],
    [{ title: ["x"] }, 400],
    [{}, 400],
    [{ title: "x", description: "" }, 201],
    [{ title: "x", description: "é".repeat(1_000) }, 201],
    [{ title: "x", description: "🙂".repeat(1_000) }, 201],
    [{ title: "x", description: "🙂".repeat(1_001) }, 400],
    [{ title: "x", description: null }, 400],
    [{ title: "x", description: 1 }, 400],
    [{ title: "x", description: "\u0000" }, 400],
    [{ title: "x", constructor: 1, toString: 2, extra: {} }, 201],
    [JSON.parse('{"title":"x","__proto__":{"description":"y"}}'), 201],
  ];
  for (const [index, [body, status]] of cases.entries()) {
    const answer = await make(body);
    expect([index, answer.status]).toEqual([index, status]);
    const { title, description = "" } = { ...body } as { title?: string; description?: string };
    if (status === 201) expect(answer.body).toEqual({ id: expect.any(Number), title, description, user_id: ann.id });
    else expect(answer.body.issues.length).toBeGreaterThan(0);
  }
});

test("changing replaces, and is for its maker and an admin", async () => {
  const { body } = await make({ title: "one", description: "two" });
  expect((await put(body.id, { title: "three", description: "four", id: 1, user_id: 99 })).body).toEqual({
    ...body,
    title: "three",
    description: "four",
  });
  expect((await put(body.id, { title: "five" })).body).toEqual({ ...body, title: "five", description: "" });
  expect((await put(body.id, { title: "six" }, admin.token)).status).toBe(200);
  const refused = await put(body.id, { title: "seven" }, bob.token);
  expect(refused.status).toBe(403);
  expect(refused.body.code).toBe("FORBIDDEN");
  expect((await request(server, "GET", `/channel/${body.id}`)).body.title).toBe("six");
  expect((await put(1, { title: "mine now" })).status).toBe(403);
  expect((await put(999, { title: "x" })).status).toBe(404);
  expect((await put(body.id, { description: "no title" })).status).toBe(400);
});

test("removing takes its messages out of lists, of single reads and of replay, and no others", async () => {
  const { body: channel } = await make({ title: "to go" });
  const cursor = (await request(server, "GET", "/event")).body.cursor;
  const gone = (await post(server, bob.token, channel.id, "gone with it")).body;
  const kept = (await post(server, bob.token, 1, "stays")).body;
  expect((await request(server, "DELETE", `/channel/${channel.id}`, { token: bob.token })).status).toBe(403);
  const removed = await request(server, "DELETE", `/channel/${channel.id}`, { token: ann.token });
  expect(removed).toMatchObject({ status: 204, text: "" });
  for (const path of [`/channel/${channel.id}`, `/message/${gone.id}`, `/channel/${channel.id}/users`])
    expect([path, (await request(server, "GET", path)).status]).toEqual([path, 404]);
  expect((await request(server, "DELETE", `/channel/${channel.id}`, { token: ann.token })).status).toBe(404);
  expect((await request(server, "GET", `/message?channel_id=${channel.id}`)).body).toEqual([]);
  expect((await request(server, "GET", "/message")).body.map(({ id }: { id: number }) => id)).not.toContain(gone.id);
  const { events } = (await request(server, "GET", `/event?cursor=${cursor}`)).body;
  expect(events.map(({ event, data }: { event: string; data: { id: number } }) => [event, data.id])).toEqual([
    ["post message", kept.id],
    ["delete channel", channel.id],
  ]);
  expect(JSON.stringify(events)).not.toContain("gone with it");
  const { body: next } = await make({ title: "next" });
  expect(next.id).toBeGreaterThan(channel.id);
});

test("an admin removes any channel, the original ones too", async () => {
  await using own = await startServer();
  const { token } = await signUp(own, "admin");
  expect((await request(own, "DELETE", "/channel/2", { token })).status).toBe(204);
  expect((await request(own, "GET", "/channel")).body).toHaveLength(1);
});

test("nobody is in a channel that nobody entered", async () => {
  expect((await request(server, "GET", "/channel/1/users")).body).toEqual({ channel_id: 1, users: [] });
});

test("one says that one types without being there, and stops again", async () => {
  for (const method of ["POST", "DELETE"]) {
    expect(await request(server, method, "/channel/1/typing", { token: ann.token })).toMatchObject({ status: 204, text: "" });
    expect((await request(server, method, "/channel/1/typing", { token: ann.token, raw: "not looked at" })).status).toBe(204);
    expect((await request(server, method, "/channel/999/typing", { token: ann.token })).status).toBe(404);
    expect((await request(server, method, "/channel/1/typing")).status).toBe(401);
    expect((await request(server, method, "/channel/x/typing", { token: ann.token })).status).toBe(400);
  }
});

test("channels are listed from the first, in pages that lead on", async () => {
  const all = (await request(server, "GET", "/channel?limit=200")).body;
  const seen: unknown[] = [];
  let path: string | undefined = `/channel?limit=3&auth=${ann.token}`;
  while (path) {
    const page = await request(server, "GET", path);
    seen.push(...page.body);
    expect(page.headers.get("link") ?? "").not.toContain("auth");
    path = page.headers.get("link")?.match(/^<(\/channel\?[^>]*)>; rel="next"$/)?.[1];
  }
  expect(seen).toEqual(all);
});
