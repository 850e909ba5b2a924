/** Pages of any list: no answer is larger than 1 MiB, none passes over what it does not show, and together they hold everything. */
import { createTRPCClient, httpLink } from "@trpc/client";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { createKeenchatClient } from "../client/src/client.ts";
import type { AppRouter } from "../src/api.ts";
import { readPage } from "../src/core/paging.ts";
import type { Param, Read } from "../src/core/transaction.ts";
import { openSqlite } from "../src/db/sqlite/sqlite.ts";
import { createSqlite } from "./support/database.ts";
import { type Answer, post, request, signUp } from "./support/http.ts";
import { startServer, type TestServer } from "./support/server.ts";

const maxAnswerBytes = 1024 * 1024;
const count = 60;
/** The largest message there is: each character is six bytes of JSON. */
const large = `x${"\u0001".repeat(9_999)}`;

const upTo = (last: number) => Array.from({ length: last }, (_, index) => index + 1);
const ids = ({ body }: Answer): number[] => body.map(({ id }: { id: number }) => id);
const linked = (answer: Answer, rel: string) => new RegExp(`<([^>]+)>; rel="${rel}"`).exec(answer.headers.get("link") ?? "")?.[1];

describe("with the largest messages there are", () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startServer();
    const { token } = await signUp(server, "ann");
    for (let posted = 0; posted < count; posted += 20)
      await Promise.all(Array.from({ length: 20 }, async () => expect((await post(server, token, 1, large)).status).toBe(201)));
    for (let made = 0; made < 200; made += 1)
      await request(server, "POST", "/channel", { token, body: { title: "wide", description: "\u0001".repeat(1_000) } });
  }, 60_000);
  afterAll(() => server.close());

  test.each([
    ["back from the newest", "/message?limit=200", "prev", upTo(count)],
    ["forward from the first", "/message?limit=200&after=0", "next", upTo(count)],
    ["forward through channels", "/channel?limit=200", "next", upTo(202)],
  ])("a page ends early, and Link leads on, %s", async (_how, start, rel, all) => {
    const seen: number[][] = [];
    for (let path: string | undefined = start; path !== undefined; ) {
      const answer: Answer = await request(server, "GET", path);
      expect(Buffer.byteLength(answer.text)).toBeLessThanOrEqual(maxAnswerBytes);
      seen.push(ids(answer));
      path = linked(answer, rel);
    }
    expect(seen.length).toBeGreaterThan(1);
    // All but the last are as large as they may be.
    const [first = []] = seen;
    expect(first.length).toBeGreaterThan(all.length / seen.length / 2);
    expect((rel === "prev" ? seen.reverse() : seen).flat()).toEqual(all);
  });

  test("the first page of the newest ends at the newest", async () => {
    const answer = await request(server, "GET", "/message?limit=200");
    expect(ids(answer).at(-1)).toBe(count);
    expect(linked(answer, "next")).toBeUndefined();
  });

  test("over tRPC it ends early too", async () => {
    const api = createTRPCClient<AppRouter>({ links: [httpLink({ url: `${server.restUrl}/trpc` })] });
    const page = await api.message.list.query({ limit: 200 });
    expect(Buffer.byteLength(JSON.stringify(page))).toBeLessThanOrEqual(maxAnswerBytes);
    expect(page.at(-1)?.id).toBe(count);
  });

  test("our client reads to the first, though no page is as long as it asked for", async () => {
    const chat = createKeenchatClient({ url: server.restUrl, wsUrl: server.wsUrl });
    const seen: number[] = [];
    for await (const page of chat.message.pages({ channel_id: 1, limit: 200 })) seen.unshift(...page.map(({ id }) => id));
    expect(seen).toEqual(upTo(count));
    chat.close();
  });
});

test("on SQLite every page of messages is a walk along one index, from where it begins", async () => {
  const sqlite = createSqlite();
  const opened = await openSqlite(sqlite.url.slice("sqlite:".length));
  try {
    const { read } = opened;
    const asked: string[] = [];
    const watched: Read = {
      all<Row>(sql: string, params: readonly Param[]) {
        asked.push(sql);
        return read.all<Row>(sql, params);
      },
      get: (sql, params) => read.get(sql, params),
    };
    const shape = z.object({ id: z.int(), message_text: z.string() });
    const channel = { column: "channel_id", value: 1 };
    const user = { column: "user_id", value: 1 };
    for (const where of [[], [channel], [user], [channel, user]])
      for (const bound of [{}, { before: 5 }, { after: 5 }]) {
        asked.length = 0;
        const query = { table: "message", shape, where, from: "newest" } as const;
        await readPage({ read: watched, reply: {} }, query, { ...bound, limit: 100 });
        expect(asked).toHaveLength(Object.keys(bound).length + 1);
        for (const sql of asked) {
          const params = Array.from(sql.matchAll(/\?/g), () => 1);
          const plan = await read.all<{ detail: string }>(`explain query plan ${sql}`, params);
          const [walk = "", ...others] = plan.map(({ detail }) => detail);
          const terms = where.map(({ column }) => `${column}=? AND `).join("");
          expect(walk).toMatch(/^SEARCH message USING (?:(?:COVERING )?INDEX \w+|INTEGER PRIMARY KEY) \(/);
          expect(walk).toMatch(new RegExp(`\\(${terms.replaceAll("?", "\\?")}(id|rowid)[<>]\\?\\)$`));
          // No sorting: what hides the messages of removed channels is all that is looked at beside.
          expect(others.filter((detail) => !detail.includes("removed_channel"))).toEqual([]);
        }
      }
  } finally {
    await opened.close();
    await sqlite.drop();
  }
});
