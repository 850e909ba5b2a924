/** `GET /event` as JSON: the log, a page at a time. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { post, request, signUp } from "./support/http.ts";
import { startServer, type TestServer } from "./support/server.ts";

let server: TestServer;
let ann: { id: number; token: string };
beforeAll(async () => {
  server = await startServer();
  ann = await signUp(server, "ann");
});
afterAll(() => server.close());

interface Item {
  id: string;
  event: string;
  data: Record<string, unknown>;
}

const poll = async (query = "", options: { headers?: Record<string, string>; token?: string } = {}) => {
  const answer = await request(server, "GET", `/event?${query}`, options);
  expect(answer.status).toBe(200);
  return answer.body as { events: Item[]; cursor: string };
};

test("without a cursor there are no events, and the head's cursor", async () => {
  const { events, cursor } = await poll();
  expect(events).toEqual([]);
  expect(cursor).toMatch(/^[A-Za-z0-9._-]{1,64}$/);
  expect((await poll(`cursor=${cursor}`)).events).toEqual([]);
  expect((await poll(`cursor=${cursor}`)).cursor).toBe(cursor);
});

test("a cursor gives what came after it, once, in order, with the resources as REST has them", async () => {
  const { cursor } = await poll();
  const user = (await request(server, "POST", "/user", { body: { username: "bea", password: "correct horse" } })).body;
  const channel = (await request(server, "POST", "/channel", { token: ann.token, body: { title: "events" } })).body;
  const changed = (await request(server, "PUT", `/channel/${channel.id}`, { token: ann.token, body: { title: "changed" } })).body;
  const message = (await post(server, ann.token, channel.id, "hello")).body;
  const edited = (await request(server, "PUT", `/message/${message.id}`, { token: ann.token, body: { message_text: "hi" } })).body;
  const expected = [
    ["post user", user],
    ["post channel", channel],
    ["put channel", changed],
    ["post message", message],
    ["put message", edited],
  ];
  const page = await poll(`cursor=${cursor}`);
  expect(page.events.map(({ event, data }) => [event, data])).toEqual(expected);
  expect(page.cursor).toBe(page.events.at(-1)?.id);
  const seen: Item[] = [];
  let position = cursor;
  for (;;) {
    const next = await poll(`limit=2&cursor=${position}`);
    if (next.events.length === 0) break;
    expect(next.events.length).toBeLessThanOrEqual(2);
    seen.push(...next.events);
    position = next.cursor;
  }
  expect(seen).toEqual(page.events);
  expect((await poll(`cursor=${seen[1]?.id}`)).events).toEqual(seen.slice(2));
  expect((await poll("", { headers: { "last-event-id": cursor } })).events).toEqual([]);
});

test("a channel filter leaves the events about those channels and those about none", async () => {
  const { cursor } = await poll();
  await post(server, ann.token, 1, "in one");
  await post(server, ann.token, 2, "in two");
  await request(server, "POST", "/user", { body: { username: "carl", password: "correct horse" } });
  const texts = async (filter: string) =>
    (await poll(`cursor=${cursor}&${filter}`)).events.map(({ event, data }) => data["message_text"] ?? event);
  expect(await texts("channel_id=1")).toEqual(["in one", "post user"]);
  expect(await texts("channel_id=2,999")).toEqual(["in two", "post user"]);
  for (const both of [
    "channel_id=1,2",
    "channel_id=1&channel_id=2",
    "channel_id[]=1&channel_id%5B%5D=2",
    "channel_id[0]=1&channel_id[1]=2",
    "channel_id=1&channel_id[]=2",
  ])
    expect([both, await texts(both)]).toEqual([both, ["in one", "in two", "post user"]]);
  for (const one of ["channel_id[]=2", "channel_id%5b%5d=2", "channel_id=2&channel_id=2"])
    expect([one, await texts(one)]).toEqual([one, ["in two", "post user"]]);
  // What is no parameter says nothing, however it is written.
  for (const unknown of ["channels[]=2", "__proto__[]=1", "constructor=1", "hasOwnProperty[]=x&toString=2", "channel_id[x]=2", "[]=2"])
    expect([unknown, await texts(unknown)]).toEqual([unknown, ["in one", "in two", "post user"]]);
  expect((await poll(`cursor=${cursor}&channel_id=999&limit=1`)).events.map(({ event }) => event)).toEqual(["post user"]);
});

test("the position that any read gives is one to follow from", async () => {
  const read = await request(server, "GET", "/message?channel_id=1&limit=1");
  const message = (await post(server, ann.token, 1, "after the read")).body;
  expect((await poll(`cursor=${read.headers.get("x-keenchat-cursor")}`)).events.map(({ data }) => data)).toEqual([message]);
});

test("a cursor that cannot be continued gives one resync with its reason", async () => {
  const { cursor } = await poll();
  const altered = cursor.slice(0, -1) + (cursor.endsWith("A") ? "B" : "A");
  const cases = [
    ["nonsense!", "malformed"],
    ["", "malformed"],
    ["x".repeat(5_000), "malformed"],
    ["%00", "malformed"],
    [altered, "unknown"],
    [`z${cursor}`, "unknown"],
  ];
  for (const [given, reason] of cases) {
    const answer = await poll(`cursor=${given}`);
    expect(answer).toEqual({ events: [{ id: cursor, event: "resync", data: { reason, cursor } }], cursor });
  }
});

test("what is no list of ids, no limit, or given twice, is refused", async () => {
  for (const query of [
    "channel_id=",
    "channel_id=1,",
    "channel_id=,1",
    "channel_id=1,x",
    "channel_id=1;2",
    "channel_id=0",
    "channel_id=1.0",
    "channel_id[]=",
    "channel_id[]=x",
    "channel_id=1&channel_id[]=0",
    "limit=0",
    "limit=201",
    "limit=",
    "limit[]=1",
    "cursor=a&cursor=a",
    "cursor[]=a",
    "cursor%5B%5D=a",
    "auth[]=a",
  ])
    expect([query, (await request(server, "GET", `/event?${query}`)).status]).toEqual([query, 400]);
});

test("more streams from one address than there may be are ended at once, with the time to try again", async () => {
  await using small = await startServer({ MAX_SOCKETS_PER_ADDRESS: "2", TRUSTED_PROXIES: "127.0.0.1" });
  const open = (address?: string) =>
    fetch(`${small.restUrl}/event`, { headers: { accept: "text/event-stream", ...(address && { "x-forwarded-for": address }) } });
  const begins = async (stream: Response) => {
    const reader = stream.body?.getReader();
    const text = new TextDecoder().decode((await reader?.read())?.value);
    reader?.releaseLock();
    return text.includes("event: ready");
  };
  const streams = [await open(), await open()];
  expect(await Promise.all(streams.map(begins))).toEqual([true, true]);
  const refused = await request(small, "GET", "/event", { headers: { accept: "text/event-stream" } });
  expect(refused.status).toBe(200);
  expect(refused.text).toMatch(/^: Too many connections from this address\.\nretry: \d+\n\n$/);
  // What a trusted proxy says of its client counts; what the client says of itself does not.
  const other = await open("10.0.0.1");
  expect(await begins(other)).toBe(true);
  const third = [await open("10.0.0.2, 10.0.0.3"), await open("10.0.0.1, 10.0.0.3"), await open("10.0.0.3")];
  expect(await Promise.all(third.map(begins))).toEqual([true, true, false]);
  for (const stream of [...streams, other, ...third]) await stream.body?.cancel();
});
