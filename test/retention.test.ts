import { expect, test } from "vitest";
import { TestClock } from "./support/clock.ts";
import { post, request, signUp } from "./support/http.ts";
import { startServer } from "./support/server.ts";

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;

/** Lets the writes that a moved clock has set off come to their end: a write of ours queues behind them. */
async function settle(server: Awaited<ReturnType<typeof startServer>>, token: string): Promise<void> {
  for (let index = 0; index < 3; index += 1) await post(server, token, 1, "settle");
}

async function oldest(server: Awaited<ReturnType<typeof startServer>>, cursor: string): Promise<string> {
  const page = await request(server, "GET", `/event?cursor=${cursor}&limit=1`);
  return page.body.events[0]?.data.reason ?? "kept";
}

test("the log forgets events past their age and number, from the oldest, and never reuses a position", async () => {
  const clock = new TestClock();
  await using server = await startServer({ TOKEN_TTL: "9999d" }, { clock, retention: { minAgeMs: hourMs, minEvents: 20 } });
  const start = (await request(server, "GET", "/event")).body.cursor;
  const { token } = await signUp(server, "ann");
  for (let index = 0; index < 40; index += 1) await post(server, token, 1, `old ${index}`);
  clock.advance(hourMs / 2);
  await settle(server, token);
  expect(await oldest(server, start)).toBe("kept");

  clock.advance(2 * hourMs);
  await settle(server, token);
  expect(await oldest(server, start)).toBe("expired");
  const head = (await request(server, "GET", "/event")).body.cursor;
  const posted = await post(server, token, 1, "after");
  const next = await request(server, "GET", `/event?cursor=${head}`);
  expect(next.body.events.map(({ data }: { data: { id: number } }) => data.id)).toEqual([posted.body.id]);
});

test("a wall clock that jumps ten years ahead takes no more than a tenth of the log in an hour", async () => {
  const clock = new TestClock();
  await using server = await startServer({ TOKEN_TTL: "9999d" }, { clock, retention: { minAgeMs: hourMs, minEvents: 10 } });
  const { token } = await signUp(server, "ann");
  const cursors: string[] = [];
  for (let index = 0; index < 200; index += 1) {
    await post(server, token, 1, `message ${index}`);
    cursors.push((await request(server, "GET", "/event")).body.cursor);
  }
  clock.jump(10 * 365 * 24 * hourMs);
  for (let minute = 0; minute < 5; minute += 1) {
    clock.advance(minuteMs);
    await settle(server, token);
  }
  expect(await oldest(server, cursors[40] ?? "")).toBe("kept");
});

test("the same clock ends next to none of the sessions for good: they hold again when it is right again", async () => {
  const clock = new TestClock();
  await using server = await startServer({ TOKEN_TTL: "1h" }, { clock });
  const credentials = { username: "ann", password: "correct horse" };
  await request(server, "POST", "/user", { body: credentials });
  const tokens: string[] = [];
  for (let index = 0; index < 20; index += 1) tokens.push((await request(server, "POST", "/auth", { body: credentials })).body.token_value);
  const tenYears = 10 * 365 * 24 * hourMs;
  clock.jump(tenYears);
  for (let minute = 0; minute < 5; minute += 1) {
    clock.advance(minuteMs);
    // A write that needs no session queues behind the round.
    await request(server, "POST", "/user", { body: { ...credentials, username: `user${minute}` } });
  }
  clock.jump(-tenYears);
  const statuses = await Promise.all(tokens.map(async (token) => (await request(server, "GET", "/auth", { token })).status));
  expect(statuses.filter((status) => status === 200).length).toBeGreaterThanOrEqual(tokens.length - 5);
});
