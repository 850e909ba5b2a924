import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { TestClock } from "../support/clock.ts";
import { post, request, signUp } from "../support/http.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { within } from "../support/wait.ts";
import { openPlain, type Received } from "../support/wires.ts";

const named = (name: string) => (item: Received) => item.event === name;

let server: TestServer;
let ann: { id: number; token: string };
beforeAll(async () => {
  server = await startServer();
  ann = await signUp(server, "ann");
});
afterAll(() => server.close());

test("a message is one text frame with its event, its data and its id", async () => {
  const client = await openPlain(server);
  const frame = new Promise<string>((resolve) => client.ws.once("message", (data, isBinary) => resolve(`${isBinary} ${String(data)}`)));
  const { body } = await post(server, ann.token, 1, 'quotes " and \\ and \u2028 and 🙂');
  const { id } = await client.inbox.take("the message", named("post message"));
  expect(await frame).toBe(`false {"event":"post message","data":${JSON.stringify(body)},"id":"${id}"}`);
  await client.close();
});

test.each<[string, string | Buffer]>([
  ["no JSON", "hello"],
  ["JSON that is no object", "5"],
  ["null", "null"],
  ["a list", "[]"],
  ["no event", '{"data":1}'],
  ["an event that is no text", '{"event":1}'],
  ["an event that is none of a client's", '{"event":"post message","data":{}}'],
  ["a prototype's name for an event", '{"event":"__proto__"}'],
  ["an unknown event", '{"event":"nonsense"}'],
  ["a binary frame", Buffer.from('{"event":"connection"}')],
  ["an empty frame", ""],
  ["lone surrogates", '{"event":"\\ud800"}'],
])("%s gets an error, and the socket stays open", async (_name, frame) => {
  const client = await openPlain(server);
  client.ws.send(frame);
  expect(await client.inbox.take("the error", named("error"))).toEqual({
    event: "error",
    data: { error: expect.stringMatching(/./), code: "BAD_REQUEST" },
  });
  await client.settled();
  await client.close();
});

test.each<[string, unknown, string]>([
  ["change channel", { id: 999 }, "NOT_FOUND"],
  ["change channel", { id: "1" }, "BAD_REQUEST"],
  ["change channel", { id: 1.5 }, "BAD_REQUEST"],
  ["change channel", undefined, "BAD_REQUEST"],
  ["change channel", [1], "BAD_REQUEST"],
  ["start typing", { channel_id: 999 }, "NOT_FOUND"],
  ["start typing", { id: 1 }, "BAD_REQUEST"],
  ["stop typing", null, "BAD_REQUEST"],
])("`%s` of %j gets %s, and the socket stays open", async (event, data, code) => {
  const client = await openPlain(server, { token: ann.token });
  client.send(event, data);
  expect(await client.inbox.take("the error", named("error"))).toMatchObject({ data: { code } });
  await client.settled();
  expect((await request(server, "GET", "/channel/1/users")).body.users).toEqual([]);
  await client.close();
});

test("what a client sends first happens first", async () => {
  const client = await openPlain(server);
  client.send("identify", ann.token);
  client.send("change channel", { id: 1 });
  client.send("connection");
  client.send("nonsense");
  await client.inbox.take("the error", named("error"));
  expect(client.inbox.items.map(({ event }) => event).filter((event) => event !== "channel movement")).toEqual([
    "identified",
    "ready",
    "error",
  ]);
  await client.close();
});

describe("a socket that does not behave is closed, and the others feel nothing", () => {
  test("20 errors within 10 s are borne, the 21st closes with 1008; after 10 s they are forgotten", async () => {
    const clock = new TestClock();
    await using own = await startServer({}, { clock });
    const [bad, patient] = [await openPlain(own), await openPlain(own)];
    for (const client of [bad, patient]) {
      for (let index = 0; index < 20; index += 1) client.ws.send("nonsense");
      await client.inbox.count("errors", 20, named("error"));
      await client.settled();
    }
    bad.ws.send("nonsense");
    expect(await within(5_000, "the close", bad.closed)).toMatchObject({ code: 1008 });
    clock.advance(10_000);
    for (let index = 0; index < 20; index += 1) patient.ws.send("nonsense");
    await patient.inbox.count("errors", 40, named("error"));
    await patient.settled();
  });

  test("more than MAX_FRAMES_PER_SECOND for 5 s closes with 1008, as many as allowed do not", async () => {
    const clock = new TestClock();
    await using own = await startServer({ MAX_FRAMES_PER_SECOND: "30" }, { clock });
    const [flooding, busy, pinging] = [await openPlain(own), await openPlain(own), await openPlain(own)];
    for (let second = 0; second < 6; second += 1) {
      for (let index = 0; index < 40; index += 1) {
        flooding.send("connection");
        pinging.ws.ping();
        if (index < 26) busy.send("connection");
      }
      if (second === 5) break;
      await Promise.all([flooding.breathe(), busy.breathe(), pinging.breathe()]);
      clock.advance(1_000);
    }
    expect(await within(5_000, "the close", flooding.closed)).toMatchObject({ code: 1008 });
    expect(await within(5_000, "the close", pinging.closed)).toMatchObject({ code: 1008 });
    await busy.settled();
  });

  test("a frame over 128 KiB closes with 1009, one of 128 KiB does not", async () => {
    const [large, larger, witness] = [await openPlain(server), await openPlain(server), await openPlain(server)];
    large.ws.send(`"${"x".repeat(128 * 1024 - 2)}"`);
    await large.inbox.take("the error", named("error"));
    await large.settled();
    larger.ws.send("x".repeat(128 * 1024 + 1));
    expect(await within(5_000, "the close", larger.closed)).toMatchObject({ code: 1009 });
    await witness.settled();
    await Promise.all([large.close(), witness.close()]);
  });

  test("a frame that is no UTF-8 closes its socket alone", async () => {
    const [bad, witness] = [await openPlain(server), await openPlain(server)];
    bad.ws.send(Buffer.from([0x22, 0xff, 0xfe, 0x22]), { binary: false });
    expect(await within(5_000, "the close", bad.closed)).toMatchObject({ code: 1007 });
    await witness.settled();
    await witness.close();
  });
});
