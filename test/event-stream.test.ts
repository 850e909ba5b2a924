/** `GET /event` as a stream: who gets one, what its headers say, and how one that cannot begin now is begun again. */
import { EventSource } from "eventsource";
import { afterAll, beforeAll, expect, test } from "vitest";
import { post, request, signUp } from "./support/http.ts";
import { startServer, type TestServer } from "./support/server.ts";
import { Inbox } from "./support/wait.ts";
import { openSse } from "./support/wires.ts";

let server: TestServer;
let ann: { id: number; token: string };
beforeAll(async () => {
  server = await startServer();
  ann = await signUp(server, "ann");
});
afterAll(() => server.close());

async function typeFor(accept: string): Promise<string | null> {
  const answer = await fetch(`${server.restUrl}/event`, { headers: { accept } });
  await answer.body?.cancel();
  return answer.headers.get("content-type");
}

test.each([
  "text/event-stream",
  "TEXT/Event-Stream",
  "text/event-stream, application/json",
  "text/event-stream, application/json;q=0.5",
  "text/event-stream, */*",
  "text/event-stream;q=0.9, */*;q=0.1",
  "application/json;q=0.1, text/event-stream;q=0.2",
  "*/*, application/json;q=0.1, text/event-stream;q=0.2",
  "text/event-stream;q=0.1",
  "text/html, text/event-stream",
])("Accept: %s begins a stream", async (accept) => {
  expect(await typeFor(accept)).toBe("text/event-stream; charset=utf-8");
});

test.each([
  "application/json",
  "application/json, text/event-stream",
  "application/json, text/event-stream;q=0.9",
  "text/event-stream;q=0.5, application/json",
  "text/event-stream;q=0",
  "text/event-stream; q=0.000, application/json",
  "text/event-stream;q=0.5, */*",
  "application/*, text/event-stream;q=0.9",
  "*/*, text/event-stream",
  "application/json;q=0.9, text/event-stream;q=0.1, */*;q=0.05",
  "*/*",
  "text/*",
  "text/event-streams",
])("Accept: %s is answered with a page", async (accept) => {
  expect(await typeFor(accept)).toBe("application/json; charset=utf-8");
});

test("no proxy may keep or transform a stream, whichever API it is of", async () => {
  for (const path of ["/event", "/trpc/events"]) {
    const answer = await fetch(`${server.restUrl}${path}`, { headers: { accept: "text/event-stream" } });
    await answer.body?.cancel();
    expect([path, answer.headers.get("content-type")?.split(";")[0]]).toEqual([path, "text/event-stream"]);
    expect([path, answer.headers.get("cache-control")]).toEqual([path, "no-store, no-transform"]);
  }
});

test("?lastEventId= resumes, wins over ?cursor=, and gives way to the header", async () => {
  const positions: string[] = [];
  for (const text of ["one", "two", "three"]) {
    positions.push((await request(server, "GET", "/event")).body.cursor);
    await post(server, ann.token, 1, text);
  }
  const [first, second, third] = positions;
  const replay = async (lastEventId?: string, headers: Record<string, string> = {}) => {
    const answer = await openSse(server, { headers, cursor: first, lastEventId });
    await answer.inbox.take("ready", ({ event }) => event === "ready");
    answer.cut();
    return answer.inbox.items.map(({ event, data }) => data.message_text ?? event);
  };
  expect(await replay()).toEqual(["one", "two", "three", "ready"]);
  expect(await replay(second)).toEqual(["two", "three", "ready"]);
  expect(await replay(second, { "last-event-id": third ?? "" })).toEqual(["three", "ready"]);
  expect(await replay("")).toEqual(["one", "two", "three", "ready"]);
  expect((await request(server, "GET", "/event?lastEventId=a&lastEventId=b", { headers: { accept: "text/event-stream" } })).status).toBe(
    400,
  );
});

// As Python splits them.
const lineBreak = /\r\n|[\n\v\f\r\u0085\u2028\u2029]/;

test.each([
  ["/event?cursor=", "event: ready"],
  ["/trpc/events?lastEventId=", '"event":"ready"'],
])("a line of the stream %s is one line to every reader, and the text comes back as sent", async (path, end) => {
  const text = "next\u0085line\u2028separator\u2029paragraph";
  const { body: message } = await post(server, ann.token, 1, text);
  const { body: page } = await request(server, "GET", "/event");
  const before = page.cursor;
  await request(server, "PUT", `/message/${message.id}`, { token: ann.token, body: { message_text: `${text}!` } });
  const answer = await fetch(`${server.restUrl}${path}${before}`, { headers: { accept: "text/event-stream" } });
  let raw = "";
  for await (const chunk of answer.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    raw += chunk;
    if (raw.includes(end)) break;
  }
  const lines = raw.split(lineBreak);
  const data = lines.find((line) => line.startsWith("data: ") && line.includes("message_text"));
  const event = JSON.parse(data?.slice("data: ".length) ?? "");
  expect((event.data ?? event).message_text).toBe(`${text}!`);
  expect(lines.every((line) => line === "" || /^(id|event|data): /.test(line))).toBe(true);
});

test("a line of a streamed batch is one line to every reader, too", async () => {
  const text = "next\u0085line\u2028separator\u2029paragraph";
  const { body: message } = await post(server, ann.token, 1, text);
  const input = encodeURIComponent(JSON.stringify({ 0: { id: message.id } }));
  const answer = await fetch(`${server.restUrl}/trpc/message.get?batch=1&input=${input}`, {
    headers: { "trpc-accept": "application/jsonl" },
  });
  const [, line = ""] = (await answer.text()).split(lineBreak);
  expect(JSON.parse(line)[2][0][0].result.data).toEqual(message);
});

/** Ten seconds are long for a test. */
const shorten = () =>
  new TransformStream<string, string>({ transform: (text, controller) => controller.enqueue(text.replace(/retry: \d+/, "retry: 50")) });

test("an EventSource that finds no room comes back by itself", async () => {
  await using small = await startServer({ MAX_SOCKETS_PER_ADDRESS: "1", TRUSTED_PROXIES: "127.0.0.1" });
  const holder = await openSse(small);
  const refused = await fetch(`${small.restUrl}/event`, { headers: { accept: "text/event-stream" } });
  expect(refused.status).toBe(200);
  expect(refused.headers.get("content-type")).toBe("text/event-stream; charset=utf-8");
  expect(await refused.text()).toBe(": Too many connections from this address.\nretry: 10000\n\n");
  const waiting = new EventSource(`${small.restUrl}/event`, {
    fetch: async (url, init) => {
      const answer = await fetch(url, init as RequestInit);
      return new Response(
        answer.body?.pipeThrough(new TextDecoderStream()).pipeThrough(shorten()).pipeThrough(new TextEncoderStream()),
        answer,
      );
    },
  });
  const retried = new Inbox<number>();
  waiting.addEventListener("error", () => retried.push(waiting.readyState));
  const ready = new Inbox<string>();
  waiting.addEventListener("ready", ({ data }) => ready.push(data));
  expect(await retried.take("the end of the first try", () => true)).toBe(EventSource.CONNECTING);
  holder.cut();
  await ready.take("ready", () => true, 10_000);
  waiting.close();
});

test("what waiting does not mend stays an error", async () => {
  await using closed = await startServer({ ANONYMOUS_READ: "false" });
  const headers = { accept: "text/event-stream" };
  expect((await request(closed, "GET", "/event", { headers })).status).toBe(401);
  expect((await request(server, "GET", "/event?channel_id=x", { headers })).status).toBe(400);
  expect((await request(server, "GET", "/event/1", { headers })).status).toBe(404);
});
