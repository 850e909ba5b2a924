/** Reading the log from far behind: in pages and replays that end at their bytes and their positions, without a hole or a repeat. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createDatabase, type TestDatabase } from "./support/database.ts";
import { post, request, signUp } from "./support/http.ts";
import { startServer, type TestServer } from "./support/server.ts";
import { openSse } from "./support/wires.ts";

const timeout = 60_000;
const maxAnswerBytes = 1024 * 1024;

interface Page {
  readonly events: { readonly id: string; readonly event: string; readonly data: { readonly id: number; readonly message_text: string } }[];
  readonly cursor: string;
}

/** Every page from a cursor to the head: as documented, until the cursor stays. */
async function pagesFrom(server: TestServer, cursor: string, query = ""): Promise<Page[]> {
  const pages: Page[] = [];
  for (let from = cursor; ; ) {
    const { text, body } = await request(server, "GET", `/event?cursor=${from}&${query}`);
    expect(Buffer.byteLength(text)).toBeLessThanOrEqual(maxAnswerBytes);
    const page = body as Page;
    if (page.cursor === from) {
      expect(page.events).toEqual([]);
      return pages;
    }
    pages.push(page);
    from = page.cursor;
  }
}

const textsOf = (events: readonly Page["events"][number][]) => events.map(({ event, data }) => data.message_text ?? event);

async function replayFrom(server: TestServer, cursor: string, channels?: readonly number[]) {
  const reader = await openSse(server, { cursor, ...(channels && { channels }) });
  await reader.inbox.take("ready", ({ event }) => event === "ready", 20_000);
  reader.cut();
  return reader.inbox.items.slice(0, -1).map(({ event, data }) => data.message_text ?? event);
}

let database: TestDatabase;
let server: TestServer;
let token: string;
let cursor: string;

async function restart(change: () => Promise<void>): Promise<void> {
  await server.close();
  await change();
  server = await startServer({ DATABASE_URL: database.url });
}

beforeAll(async () => {
  database = await createDatabase();
  server = await startServer({ DATABASE_URL: database.url });
  ({ token } = await signUp(server, "ann"));
  ({ cursor } = (await request(server, "GET", "/event")).body);
});
afterAll(async () => {
  await server.close();
  await database.drop();
});

describe("of the largest messages there can be", () => {
  // A control character is six bytes of JSON.
  const texts = Array.from({ length: 40 }, (_, index) => `${index}${"\u0001".repeat(9_990)}`);

  test("pages end at 1 MiB, from memory and from the table, and together hold everything once", { timeout }, async () => {
    for (const text of texts) expect((await post(server, token, 1, text)).status).toBe(201);
    const fromMemory = await pagesFrom(server, cursor);
    await restart(async () => {});
    const fromTable = await pagesFrom(server, cursor);
    for (const pages of [fromMemory, fromTable]) {
      expect(textsOf(pages.flatMap(({ events }) => events))).toEqual(texts);
      expect(pages.length).toBe(3);
      for (const page of pages) expect(page.cursor).toBe(page.events.at(-1)?.id);
    }
    expect((await pagesFrom(server, cursor, "limit=1")).map(({ events }) => events.length)).toEqual(texts.map(() => 1));
  });

  test("a replay holds everything once", { timeout }, async () => {
    expect(await replayFrom(server, cursor)).toEqual(texts);
  });
});

describe("with a filter that fits next to nothing", () => {
  const many = 25_000;

  test("a page may be empty while its cursor moves, and what the filter fits is found", { timeout }, async () => {
    const { cursor: start } = (await request(server, "GET", "/event")).body;
    expect((await post(server, token, 2, "before")).status).toBe(201);
    await restart(async () => {
      const rows = `with recursive r(k) as (select 1 union all select k + 1 from r where k < ${many})`;
      await database.execute(`
        insert into event (seq, tag, name, channel_id, message_id, payload, at)
          ${rows} select c.seq + k, 'filled', 'put channel', 1, null, '{"id":1,"title":"General"}', 1 from r, counter c;
        update counter set seq = seq + ${many};`);
    });
    expect((await post(server, token, 2, "after")).status).toBe(201);
    for (const channels of [[2], [2, 3, 4, 5, 6]]) {
      const pages = await pagesFrom(server, start, `limit=1&channel_id=${channels.join(",")}`);
      expect(textsOf(pages.flatMap(({ events }) => events))).toEqual(["before", "after"]);
      expect(pages.some(({ events }) => events.length === 0)).toBe(true);
      expect(await replayFrom(server, start, channels)).toEqual(["before", "after"]);
    }
    expect(await replayFrom(server, start)).toHaveLength(many + 2);
  });
});
