import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Answer, post, request, signUp } from "./support/http.ts";
import { startServer, type TestServer } from "./support/server.ts";
import { TrpcSocket } from "./support/trpc-frames.ts";

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

const send = (body: unknown, options: { token?: string; headers?: Record<string, string> } = {}) =>
  request(server, "POST", "/message", { token: ann.token, body, ...options });
const ids = (answer: Answer): number[] => answer.body.map(({ id }: { id: number }) => id);

test("a posted message is read back exactly as it was sent", async () => {
  const text = " ünï\u0001code 🙂 \r\n <b>&amp;\u2028\u200e ";
  const before = Date.now();
  const posted = await send({ channel_id: 1, message_text: text, id: 1, user_id: bob.id, time: 5 });
  expect(posted.status).toBe(201);
  expect(posted.body).toEqual({ id: expect.any(Number), channel_id: 1, user_id: ann.id, message_text: text, time: expect.any(Number) });
  expect(posted.body.time).toBeGreaterThanOrEqual(before);
  expect(posted.body.time).toBeLessThanOrEqual(Date.now());
  expect(posted.headers.get("location")).toBe(`/message/${posted.body.id}`);
  const read = await request(server, "GET", posted.headers.get("location") ?? "");
  expect(read.body).toEqual(posted.body);
});

test("texts have 1 to 10,000 code points and nothing that cannot be sent back", async () => {
  const cases: [unknown, number][] = [
    ["x", 201],
    ["🙂".repeat(10_000), 201],
    ["🙂".repeat(10_001), 400],
    ["x".repeat(10_000), 201],
    ["x".repeat(10_001), 400],
    ["", 400],
    [" \n\t\u3000", 400],
    // Each of them alone, and all of them together, is a text in which nothing can be seen.
    ...["\u200b", "\u00ad", "\u2800", "\u3164", "\ufeff", "\u0085", "\u0007", "\u2028", "\ufe0f", "\u{e0041}", "\u200d".repeat(10_000)].map(
      (unseen): [string, number] => [unseen, 400],
    ),
    ["\u200b\u00ad\u2800\u3164 \u0007", 400],
    ["\u200b.\u3164", 201],
    ["\ufeffx", 201],
    ["a\u0000b", 400],
    ["\ud83d", 400],
    ["\udc00\ud800", 400],
    [1, 400],
    [null, 400],
    [true, 400],
    [["x"], 400],
    [{ x: 1 }, 400],
    [undefined, 400],
  ];
  for (const [index, [text, status]] of cases.entries()) {
    const answer = await send({ channel_id: 1, message_text: text });
    expect([index, answer.status]).toEqual([index, status]);
    if (status === 201) expect((await request(server, "GET", `/message/${answer.body.id}`)).body.message_text).toBe(text);
    else expect(answer.body.issues[0].path).toEqual(["message_text"]);
  }
  const invalid = Buffer.concat([Buffer.from('{"channel_id":1,"message_text":"'), Buffer.from([0xc3, 0x28]), Buffer.from('"}')]);
  expect((await request(server, "POST", "/message", { token: ann.token, raw: invalid })).status).toBe(400);
});

test("a number in a body is a number, before and after other requests", async () => {
  for (let round = 0; round < 2; round += 1) {
    for (const channel of ["1", null, [1], true, 1.5, 0, -1, {}, "", 1e300]) {
      expect([channel, (await send({ channel_id: channel, message_text: "x" })).status]).toEqual([channel, 400]);
      const overTrpc = await request(server, "POST", "/trpc/message.post", {
        token: ann.token,
        body: { channel_id: channel, message_text: "x" },
      });
      expect([channel, overTrpc.status]).toEqual([channel, 400]);
    }
    expect((await request(server, "GET", "/message?channel_id=1&limit=1")).status).toBe(200);
    expect((await request(server, "GET", `/trpc/message.list?input=${encodeURIComponent('{"limit":"1"}')}`)).status).toBe(400);
    expect((await send({ channel_id: 1, message_text: "x" })).status).toBe(201);
  }
});

test("a body of exactly 128 KiB is read whole, on REST and on tRPC", async () => {
  const body = (size: number) => {
    const bare = JSON.stringify({ message_text: "large", channel_id: 1, pad: "" });
    return bare.replace('"pad":""', `"pad":"${"x".repeat(size - bare.length)}"`);
  };
  for (const path of ["/message", "/trpc/message.post"]) {
    const fits = await request(server, "POST", path, { token: ann.token, raw: body(128 * 1024) });
    expect([200, 201]).toContain(fits.status);
    expect((await request(server, "POST", path, { token: ann.token, raw: body(128 * 1024 + 1) })).status).toBe(413);
  }
});

test("a byte order mark before the JSON is dropped, and one in a text is kept", async () => {
  for (const [path, status] of [
    ["/message", 201],
    ["/trpc/message.post", 200],
  ] as const) {
    const raw = `\ufeff${JSON.stringify({ channel_id: 1, message_text: `\ufeffkept ${path}` })}`;
    expect([path, (await request(server, "POST", path, { token: ann.token, raw })).status]).toEqual([path, status]);
    const [last] = (await request(server, "GET", "/message?limit=1")).body;
    expect(last.message_text).toBe(`\ufeffkept ${path}`);
  }
});

test("the longest text fits, however its JSON spells it", async () => {
  const raw = `{"channel_id":1,"message_text":"${"\\ud83d\\ude00".repeat(10_000)}"}`;
  const rest = await request(server, "POST", "/message", { token: ann.token, raw });
  expect(rest.status).toBe(201);
  expect(rest.body.message_text).toBe("😀".repeat(10_000));
  expect((await request(server, "POST", "/trpc/message.post", { token: ann.token, raw })).status).toBe(200);
  const socket = await TrpcSocket.open(`${server.wsUrl}/trpc`, { headers: { authorization: `Bearer ${ann.token}` } });
  socket.send(`{"id":1,"method":"mutation","params":{"path":"message.post","input":${raw}}}`);
  expect((await socket.inbox.take("the answer", () => true)).result?.type).toBe("data");
  await socket.close();
});

test("an unknown channel is 404", async () => {
  const refused = await send({ channel_id: 999_999, message_text: "x" });
  expect(refused.status).toBe(404);
  expect(refused.body.code).toBe("NOT_FOUND");
});

describe("changing and removing", () => {
  test("is for its author; removing for an admin too", async () => {
    const { body: message } = await post(server, ann.token, 1, "first words");
    const put = (body: unknown, token: string) => request(server, "PUT", `/message/${message.id}`, { token, body });
    const changed = await put({ message_text: "second words", channel_id: 2, id: 1, time: 0 }, ann.token);
    expect(changed.status).toBe(200);
    expect(changed.body).toEqual({ ...message, message_text: "second words", edited_at: expect.any(Number) });
    expect((await request(server, "GET", `/message/${message.id}`)).body).toEqual(changed.body);
    for (const token of [bob.token, admin.token]) expect((await put({ message_text: "not mine" }, token)).status).toBe(403);
    expect((await put({ message_text: "" }, ann.token)).status).toBe(400);
    expect((await put({}, ann.token)).status).toBe(400);
    const remove = (token: string) => request(server, "DELETE", `/message/${message.id}`, { token });
    expect((await remove(bob.token)).status).toBe(403);
    expect(await remove(admin.token)).toMatchObject({ status: 204, text: "" });
    expect((await remove(ann.token)).status).toBe(404);
    expect((await put({ message_text: "late" }, ann.token)).status).toBe(404);
    expect((await request(server, "GET", `/message/${message.id}`)).status).toBe(404);
    const { body: own } = await post(server, ann.token, 1, "mine");
    expect((await request(server, "DELETE", `/message/${own.id}`, { token: ann.token })).status).toBe(204);
  });

  test("a removed message's text is gone from replay, also the text it had before", async () => {
    const { cursor } = (await request(server, "GET", "/event")).body;
    const { body: message } = await post(server, ann.token, 1, "secret one");
    await request(server, "PUT", `/message/${message.id}`, { token: ann.token, body: { message_text: "secret two" } });
    await request(server, "DELETE", `/message/${message.id}`, { token: ann.token });
    const replay = await request(server, "GET", `/event?cursor=${cursor}`);
    expect(replay.body.events).toEqual([{ id: expect.any(String), event: "delete message", data: { id: message.id, channel_id: 1 } }]);
    expect(replay.text).not.toContain("secret");
  });
});

describe("a key that makes posting repeatable", () => {
  test("gives the same message again, as it is now", async () => {
    const body = { channel_id: 1, message_text: "once", client_message_id: "key 1 🙂" };
    const first = await send(body);
    expect(first.status).toBe(201);
    expect(first.body.client_message_id).toBe("key 1 🙂");
    const again = await send({ ...body, extra: 1 });
    expect(again.status).toBe(200);
    expect(again.body).toEqual(first.body);
    const changed = await request(server, "PUT", `/message/${first.body.id}`, { token: ann.token, body: { message_text: "twice" } });
    expect(changed.body.client_message_id).toBe("key 1 🙂");
    const afterChange = await send(body);
    expect(afterChange.status).toBe(200);
    expect(afterChange.body).toEqual(changed.body);
  });

  test("with another body, or after the message was removed, is a conflict", async () => {
    const body = { channel_id: 1, message_text: "once", client_message_id: "key 2" };
    const { body: message } = await send(body);
    for (const other of [
      { ...body, message_text: "other" },
      { ...body, channel_id: 2 },
      { ...body, channel_id: 999_999 },
    ]) {
      const refused = await send(other);
      expect(refused.status).toBe(409);
      expect(refused.body.code).toBe("CONFLICT");
    }
    await request(server, "DELETE", `/message/${message.id}`, { token: ann.token });
    expect((await send(body)).status).toBe(409);
  });

  test("belongs to its user, and is not used up by a refusal", async () => {
    const body = { channel_id: 1, message_text: "mine", client_message_id: "key 3" };
    const [mine, yours] = [await send(body), await send(body, { token: bob.token })];
    expect([mine.status, yours.status]).toEqual([201, 201]);
    expect(yours.body.id).not.toBe(mine.body.id);
    expect((await send({ ...body, channel_id: 999_999, client_message_id: "key 4" })).status).toBe(404);
    expect((await send({ ...body, client_message_id: "key 4" })).status).toBe(201);
  });

  test("may stand in Idempotency-Key; both and different is refused", async () => {
    const body = { channel_id: 1, message_text: "by header" };
    const headers = { "Idempotency-Key": "key-5" };
    const first = await send(body, { headers });
    expect(first.status).toBe(201);
    expect(first.body.client_message_id).toBe("key-5");
    expect((await send(body, { headers })).status).toBe(200);
    expect((await send({ ...body, client_message_id: "key-5" }, { headers })).body).toEqual(first.body);
    expect((await send({ ...body, client_message_id: "key-6" }, { headers })).status).toBe(400);
    expect((await send(body, { headers: { "Idempotency-Key": "" } })).status).toBe(400);
    expect((await send(body, { headers: { "Idempotency-Key": "x".repeat(65) } })).status).toBe(400);
  });

  test("in Idempotency-Key is the text that it is in a body", async () => {
    const body = { channel_id: 1, message_text: "by header" };
    const key = "Schlüssel 🙂".padEnd(63, "é");
    // As curl sends it: the bytes of UTF-8.
    const headers = { "Idempotency-Key": Buffer.from(key).toString("latin1") };
    const first = await send(body, { headers });
    expect(first.status).toBe(201);
    expect(first.body.client_message_id).toBe(key);
    const again = await send({ ...body, client_message_id: key }, { headers });
    expect(again.status).toBe(200);
    expect(again.body).toEqual(first.body);
    expect((await send(body, { headers: { "Idempotency-Key": "Schl\xfcssel" } })).status).toBe(400);
  });

  test("has 1 to 64 code points of text", async () => {
    const cases: [unknown, number][] = [
      ["", 400],
      ["x", 201],
      ["🙂".repeat(64), 201],
      ["🙂".repeat(65), 400],
      [1, 400],
      [null, 400],
      ["\u0000", 400],
      [" ", 201],
    ];
    for (const [index, [key, status]] of cases.entries()) {
      const { status: actual } = await send({ channel_id: 1, message_text: "x", client_message_id: key });
      expect([index, actual]).toEqual([index, status]);
    }
  });

  test("fifty at once commit one", async () => {
    const body = { channel_id: 2, message_text: "fifty", client_message_id: "key 50" };
    const answers = await Promise.all(Array.from({ length: 50 }, () => send(body)));
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(49);
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
    expect(ids(await request(server, "GET", "/message?channel_id=2&limit=200")).filter((id) => id === answers[0]?.body.id)).toHaveLength(1);
  });
});

describe("pages", () => {
  let own: TestServer;
  let all: number[];
  beforeAll(async () => {
    own = await startServer();
    const one = await signUp(own, "one");
    const two = await signUp(own, "two");
    all = [];
    for (let index = 0; index < 12; index += 1) {
      const { body } = await post(own, index % 3 === 0 ? two.token : one.token, 1 + (index % 2), `text ${index}`);
      all.push(body.id);
    }
  });
  afterAll(() => own.close());

  const page = (query: string) => request(own, "GET", `/message?${query}`);
  const link = (answer: Answer, rel: string) => answer.headers.get("link")?.match(`<([^>]*)>; rel="${rel}"`)?.[1];

  test("without a direction hold the newest, ascending", async () => {
    expect(ids(await page(""))).toEqual(all);
    const newest = await page("limit=5");
    expect(ids(newest)).toEqual(all.slice(-5));
    expect(link(newest, "next")).toBeUndefined();
    expect(link(newest, "prev")).toBeDefined();
  });

  test("go on after an id, from the beginning with 0, and back before one", async () => {
    expect(ids(await page("after=0&limit=3"))).toEqual(all.slice(0, 3));
    expect(ids(await page(`after=${all[2]}&limit=3`))).toEqual(all.slice(3, 6));
    expect(ids(await page(`before=${all[6]}&limit=3`))).toEqual(all.slice(3, 6));
    expect(ids(await page(`before=${all[2]}&limit=200`))).toEqual(all.slice(0, 2));
    expect((await page("before=5&after=1")).status).toBe(400);
    expect((await page("before=5&after=5")).status).toBe(400);
  });

  test("are walked by their links in both directions, with their filters and without the token", async () => {
    for (const filter of ["", "channel_id=1", "user_id=2", "channel_id=2&user_id=1"]) {
      const expected = ids(await page(`${filter}&limit=200`));
      for (const [start, rel] of [
        ["", "prev"],
        ["after=0", "next"],
      ] as const) {
        const pages: number[][] = [];
        let path: string | undefined = `/message/?${start}&${filter}&limit=2&x=y`;
        while (path) {
          const answer: Answer = await request(own, "GET", path);
          expect(answer.status).toBe(200);
          pages.push(ids(answer));
          path = link(answer, rel);
          if (path) expect(path).toMatch(/^\/message\?(?!.*(auth|x=))/);
        }
        const walked = rel === "prev" ? pages.reverse().flat() : pages.flat();
        expect(walked).toEqual(expected);
        expect(pages.every((ids) => ids.length > 0)).toBe(true);
      }
    }
  });

  test("have links only where there is more", async () => {
    expect((await page("after=0&limit=12")).headers.has("link")).toBe(false);
    expect((await page("limit=12")).headers.has("link")).toBe(false);
    const middle = await page(`after=${all[3]}&limit=2`);
    expect(ids(await request(own, "GET", link(middle, "next") ?? ""))).toEqual(all.slice(6, 8));
    expect(ids(await request(own, "GET", link(middle, "prev") ?? ""))).toEqual(all.slice(2, 4));
    // Beside an empty page, too, every link leads somewhere.
    for (const query of [
      "before=0",
      "before=1",
      `before=${all[0]}`,
      "after=9007199254740991",
      `after=${all.at(-1)}`,
      "before=9007199254740991",
    ]) {
      for (const rel of ["next", "prev"]) {
        const path = link(await page(query), rel);
        if (path) expect([query, rel, ids(await request(own, "GET", path)).length > 0]).toEqual([query, rel, true]);
      }
    }
  });

  test("of an unknown channel or user are empty", async () => {
    for (const query of ["channel_id=999", "user_id=999", "channel_id=1&user_id=999"]) {
      const answer = await page(query);
      expect(answer.body).toEqual([]);
      expect(answer.headers.has("link")).toBe(false);
    }
  });

  test("refuse what is no plain decimal integer, or out of range, or given twice", async () => {
    for (const name of ["channel_id", "user_id", "before", "after", "limit"]) {
      for (const value of [
        "",
        "1.0",
        "0x10",
        "1e3",
        "-1",
        "+1",
        "%201",
        "1%20",
        "one",
        "null",
        "1,2",
        "[1]",
        "01",
        "NaN",
        "Infinity",
        "%D9%A1",
        "9007199254740992",
      ]) {
        expect([name, value, (await page(`${name}=${value}`)).status]).toEqual([name, value, 400]);
      }
      expect((await page(`${name}=1&${name}=1`)).status).toBe(400);
      expect((await page(`${name}[]=1`)).status).toBe(400);
    }
    for (const [limit, status] of [
      ["0", 400],
      ["1", 200],
      ["200", 200],
      ["201", 400],
    ] as const)
      expect((await page(`limit=${limit}`)).status).toBe(status);
  });
});
