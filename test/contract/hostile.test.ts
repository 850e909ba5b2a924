/** Long text of a stranger, wherever a request has room for it: none of it is worked on for longer than it takes to read. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { request, signUp } from "../support/http.ts";
import { startServer, type TestServer } from "../support/server.ts";

let server: TestServer;
let token: string;
beforeAll(async () => {
  // Its proxies are believed, so that `X-Forwarded-For` is walked to its end.
  server = await startServer({ TRUSTED_PROXIES: "127.0.0.1,::1" });
  ({ token } = await signUp(server, "ann"));
});
afterAll(() => server.close());

/** Nearly all that Node takes of headers, and of a URL. */
const headerLength = 15_000;
const bodyLength = 120_000;
const maxMs = 40;
const pieces = [" ", "a", ",", ", ", ";", "; a=", '"', '\\"', "127.0.0.1,", "[::1]:1,", "a/b;q=0.1,", ".", "=", "Bearer ", "\t"];
const fill = (piece: string, length: number) => piece.repeat(Math.floor(length / piece.length));

/** The quickest of ten: other work of the machine makes some of them slow. */
async function fastest(send: () => Promise<{ status: number }>): Promise<number> {
  const times: number[] = [];
  for (let round = 0; round < 10; round += 1) {
    const startMs = performance.now();
    expect((await send()).status).toBeLessThan(500);
    times.push(performance.now() - startMs);
    if (performance.now() - startMs < maxMs) break;
  }
  return Math.min(...times);
}

const starts: Record<string, string> = {
  "content-type": "application/json",
  authorization: "Bearer x",
  accept: "text/event-stream",
  "accept-encoding": "br",
  "if-none-match": '"',
  "x-forwarded-for": "",
  forwarded: "for=",
  origin: "https://",
  cookie: "a=",
  "content-encoding": "identity",
  "idempotency-key": "",
  "last-event-id": "",
  "access-control-request-headers": "a",
  "access-control-request-method": "POST",
};

test.each(Object.entries(starts))("in the header %s", { timeout: 60_000 }, async (name, start) => {
  for (const piece of pieces) {
    // A character behind it, as what stands at the end is trimmed on the way.
    const headers = { [name]: `${start}${fill(piece, headerLength)}x` };
    const slowest = await Promise.all([
      fastest(() => request(server, "POST", "/message", { raw: "{}", headers })),
      fastest(() => request(server, "OPTIONS", "/docs", { headers })),
    ]);
    expect([piece, Math.max(...slowest) < maxMs]).toEqual([piece, true]);
  }
});

test("in a URL", { timeout: 60_000 }, async () => {
  for (const piece of [
    "/",
    "a",
    "%2f",
    "[",
    "[]",
    "[0]&",
    "&",
    "=",
    "a=b&",
    "channel_id[]=1&",
    "channel_id=1&",
    ",",
    ".",
    "%20",
    "1,",
    "+",
  ]) {
    const text = fill(piece, headerLength);
    for (const path of [
      `/${text}`,
      `/event?${text}`,
      `/event?channel_id=${text}`,
      `/event?channel_id${text}`,
      `/trpc/${text}?batch=1`,
      `/user?username=${text}`,
    ])
      expect([
        piece,
        path.slice(0, 30),
        (await fastest(() => fetch(server.restUrl + path, { headers: { accept: "application/json" } }))) < maxMs,
      ]).toEqual([piece, path.slice(0, 30), true]);
  }
});

test("in a body", { timeout: 60_000 }, async () => {
  for (const piece of [" ", "a", "\u200b", "\n", "-", "_", "[", '{"a":', "\\u0020", "🙂", "1"]) {
    const text = fill(piece, bodyLength / 4);
    const bodies: [path: string, body: unknown][] = [
      ["/message", { channel_id: 1, message_text: text, client_message_id: text }],
      ["/channel", { title: text, description: text }],
      ["/user", { username: `a${text}!`, password: text }],
    ];
    for (const [path, body] of bodies) {
      const took = await fastest(() => request(server, "POST", path, { token, body }));
      expect([piece, path, took < maxMs]).toEqual([piece, path, true]);
      const broken = await fastest(() => request(server, "POST", path, { token, raw: text }));
      expect([piece, path, broken < maxMs]).toEqual([piece, path, true]);
    }
  }
});
