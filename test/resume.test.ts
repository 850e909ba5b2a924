import type { AddressInfo } from "node:net";
import { connect as connectTcp, createServer, type Socket } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { TestClock } from "./support/clock.ts";
import { createDatabase } from "./support/database.ts";
import { post, request, signUp } from "./support/http.ts";
import { startServer, type TestServer } from "./support/server.ts";
import { within } from "./support/wait.ts";
import { connectTrpc, followingWires, openPlain, openSse, openTrpcSse, type Received } from "./support/wires.ts";

const named = (name: string) => (item: Received) => item.event === name;
const saying = (text: string) => (item: Received) => item.data?.message_text === text;
const texts = (items: readonly Received[]) => items.map(({ event, data }) => data?.message_text ?? event);

async function postAll(server: TestServer, token: string, ...messages: string[]): Promise<void> {
  for (const text of messages) expect((await post(server, token, 1, text)).status).toBe(201);
}

async function head(server: TestServer): Promise<string> {
  return (await request(server, "GET", "/channel")).headers.get("x-keenchat-cursor") ?? "";
}

/** A TCP proxy whose connections a test can cut, so that a client's own reconnect is seen at work. */
async function startProxy(targetUrl: string) {
  const open = new Set<Socket>();
  const proxy = createServer((client) => {
    const upstream = connectTcp(Number(new URL(targetUrl).port), "127.0.0.1");
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      open.add(from);
      from.on("error", () => {});
      from.on("close", () => {
        open.delete(from);
        to.destroy();
      });
      from.pipe(to);
    }
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  return {
    port: (proxy.address() as AddressInfo).port,
    cut: () => open.forEach((socket) => void socket.destroy()),
    close: () => {
      proxy.close();
      for (const socket of open) socket.destroy();
    },
  };
}

describe.each(followingWires)("resuming over %s", (_name, open, announcesReady) => {
  let server: TestServer;
  let ann: { id: number; token: string };
  beforeAll(async () => {
    server = await startServer();
    ann = await signUp(server, "ann");
  });
  afterAll(() => server.close());

  test("a reader that was cut gets every later event once, in order, then `ready`, then what is new", async () => {
    const first = await open(server, { cursor: await head(server) });
    await first.inbox.take("ready", named("ready"));
    await postAll(server, ann.token, "seen");
    const { id } = await first.inbox.take("the message", saying("seen"));
    first.cut();
    await postAll(server, ann.token, "one", "two", "three");
    const second = await open(server, { cursor: id });
    await second.inbox.take("ready", named("ready"));
    await postAll(server, ann.token, "new");
    await second.inbox.take("the new one", saying("new"));
    expect(texts(second.inbox.items)).toEqual(["one", "two", "three", "ready", "new"]);
    second.cut();
  });

  test("a reader that was cut right after `ready` misses nothing", async () => {
    const first = await open(server, { cursor: await head(server) });
    const ready = await first.inbox.take("ready", named("ready"));
    expect(ready.data).toEqual({ cursor: ready.id });
    first.cut();
    await postAll(server, ann.token, "after ready");
    const second = await open(server, { cursor: ready.id });
    await second.inbox.take("ready", named("ready"));
    expect(texts(second.inbox.items)).toEqual(["after ready", "ready"]);
    second.cut();
  });

  test("a reader without a cursor begins at the head", async () => {
    const reader = await open(server);
    if (announcesReady) await reader.inbox.take("ready", named("ready"));
    await postAll(server, ann.token, "now");
    await reader.inbox.take("the message", saying("now"));
    expect(texts(reader.inbox.items)).toEqual(announcesReady ? ["ready", "now"] : ["now"]);
    reader.cut();
  });

  test("a reader that is level gets `ready` at once, with the cursor it gave", async () => {
    const cursor = await head(server);
    const reader = await open(server, { cursor });
    expect(await reader.inbox.take("ready", named("ready"))).toEqual({ event: "ready", data: { cursor }, id: cursor });
    expect(reader.inbox.items).toHaveLength(1);
    reader.cut();
  });

  test("the replay passes the same filter as what is live", async () => {
    const cursor = await head(server);
    const { body: channel } = await request(server, "POST", "/channel", { token: ann.token, body: { title: "Side" } });
    await post(server, ann.token, 2, "in 2");
    await post(server, ann.token, 1, "in 1");
    await post(server, ann.token, channel.id, "in the side channel");
    const reader = await open(server, { cursor, channels: [2, channel.id] });
    await reader.inbox.take("ready", named("ready"));
    await post(server, ann.token, 1, "live in 1");
    await post(server, ann.token, 2, "live in 2");
    await reader.inbox.take("the message", saying("live in 2"));
    expect(texts(reader.inbox.items)).toEqual(["post channel", "in 2", "in the side channel", "ready", "live in 2"]);
    reader.cut();
  });

  test.each(["malformed", "0.short", "zzzzzz.AAAAAAAA", "", "1.x y", "../../etc"])(
    "the cursor %j gets `resync` within 100 ms, then what is live",
    async (cursor) => {
      const reader = await open(server, { cursor });
      const { data, id } = await reader.inbox.take("resync", named("resync"), 2_000);
      expect(data).toEqual({ reason: /^[0-9a-z]{1,11}\.[A-Za-z0-9_-]+$/.test(cursor) ? "unknown" : "malformed", cursor: id });
      await postAll(server, ann.token, `live after ${cursor}`);
      await reader.inbox.take("the message", saying(`live after ${cursor}`));
      expect(texts(reader.inbox.items)).toEqual(["resync", `live after ${cursor}`]);
      reader.cut();
    },
  );

  test("what was deleted is not replayed, from memory or from the table; only its deletion is", async () => {
    const database = await createDatabase();
    let own = await startServer({ DATABASE_URL: database.url });
    const { token } = await signUp(own, "ann");
    const cursor = await head(own);
    const { body: message } = await post(own, token, 1, "regretted");
    await request(own, "PUT", `/message/${message.id}`, { token, body: { message_text: "regretted still" } });
    const { body: channel } = await request(own, "POST", "/channel", { token, body: { title: "Gone" } });
    await post(own, token, channel.id, "in what is gone");
    await post(own, token, 1, "kept");
    await request(own, "DELETE", `/message/${message.id}`, { token });
    await request(own, "DELETE", `/channel/${channel.id}`, { token });
    const replayed = async () => {
      const reader = await open(own, { cursor });
      await reader.inbox.take("ready", named("ready"));
      reader.cut();
      return reader.inbox.items;
    };
    const fromMemory = await replayed();
    expect(fromMemory.slice(0, -1).map(({ event, data }) => ({ event, data }))).toEqual([
      { event: "post message", data: expect.objectContaining({ message_text: "kept" }) },
      { event: "delete message", data: { id: message.id, channel_id: 1 } },
      { event: "delete channel", data: { id: channel.id } },
    ]);
    await own.close();
    own = await startServer({ DATABASE_URL: database.url });
    expect(await replayed()).toEqual(fromMemory);
    await own.close();
    await database.drop();
  });

  test("a cursor of another database, or of what a restored backup never had, is `unknown`; one the backup has goes on", async () => {
    const database = await createDatabase();
    let own = await startServer({ DATABASE_URL: database.url });
    const { token } = await signUp(own, "ann");
    await postAll(own, token, "in the backup");
    const shared = await head(own);
    await postAll(own, token, "shared");
    await own.close();
    const backup = await database.copy();
    own = await startServer({ DATABASE_URL: database.url });
    await postAll(own, token, "lost by the restore");
    const lost = await head(own);
    await postAll(own, token, "lost too");
    await own.close();

    own = await startServer({ DATABASE_URL: backup.url });
    for (let round = 0; round < 3; round += 1) {
      for (const cursor of [lost, await head(server)]) {
        const reader = await open(own, { cursor });
        expect(await reader.inbox.take("resync", named("resync"))).toMatchObject({ data: { reason: "unknown", cursor: await head(own) } });
        reader.cut();
      }
      await postAll(own, token, `restored ${round}`);
    }
    const reader = await open(own, { cursor: shared });
    await reader.inbox.take("ready", named("ready"));
    expect(texts(reader.inbox.items)).toEqual(["shared", "restored 0", "restored 1", "restored 2", "ready"]);
    reader.cut();
    await own.close();
    await Promise.all([database.drop(), backup.drop()]);
  });

  test("a replay from the table is whole, while writers keep writing", async () => {
    const database = await createDatabase();
    const environment = { DATABASE_URL: database.url };
    let own = await startServer(environment);
    const { token } = await signUp(own, "ann");
    const cursor = await head(own);
    const count = 600;
    let posted = 0;
    const write = async (until: number) => {
      const writer = async () => {
        while (posted < until) {
          posted += 1;
          await post(own, token, 1, "x".repeat(200));
        }
      };
      await Promise.all(Array.from({ length: 16 }, writer));
    };
    await write(400);
    await own.close();
    own = await startServer(environment);
    const writing = write(count);
    const reader = await open(own, { cursor });
    await Promise.all([reader.inbox.count("messages", count, named("post message"), 15_000), writing]);
    await reader.inbox.take("ready", named("ready"));
    const ids = reader.inbox.items.filter(named("post message")).map(({ data }) => data.id as number);
    expect(ids).toEqual(Array.from({ length: count }, (_, index) => index + 1));
    expect(reader.inbox.items.filter(named("ready"))).toHaveLength(1);
    reader.cut();
    await own.close();
    await database.drop();
  });

  test("X-Keenchat-Cursor of any GET, followed, leaves no hole while writers keep writing", async () => {
    let writing = true;
    const writers = Array.from({ length: 4 }, async () => {
      while (writing) await post(server, ann.token, 1, "noise");
    });
    for (const path of ["/message?limit=200", "/channel", "/user", "/auth"]) {
      const answer = await request(server, "GET", path, { token: ann.token });
      const page = await request(server, "GET", "/message?limit=200");
      const cursor = answer.headers.get("x-keenchat-cursor") ?? "";
      const reader = await open(server, { cursor });
      await reader.inbox.take("ready", named("ready"));
      const { body } = await post(server, ann.token, 1, "the end");
      await reader.inbox.take("the end", ({ data }) => data.id === body.id);
      reader.cut();
      const seen = new Set(reader.inbox.items.filter(named("post message")).map(({ data }) => data.id as number));
      const newestBefore = path.startsWith("/message") ? answer.body.at(-1).id : Math.min(...seen) - 1;
      const expected = Array.from({ length: body.id - newestBefore }, (_, index) => newestBefore + 1 + index);
      expect(expected.filter((id) => !seen.has(id))).toEqual([]);
      expect(page.body.at(-1).id).toBeGreaterThanOrEqual(newestBefore);
    }
    writing = false;
    await Promise.all(writers);
  });
});

describe("a client's own reconnect", () => {
  test.each(["wsLink", "httpSubscriptionLink"])("of tRPC's %s resumes: nothing lost, nothing twice", async (link) => {
    await using server = await startServer();
    const { token } = await signUp(server, "ann");
    const proxy = await startProxy(link === "wsLink" ? server.wsUrl : server.restUrl);
    const url = `127.0.0.1:${proxy.port}`;
    const trpc = link === "wsLink" ? connectTrpc(`ws://${url}/trpc`) : undefined;
    const reader = trpc ? { inbox: trpc.follow(), cut: () => void trpc.close() } : openTrpcSse({ restUrl: `http://${url}`, wsUrl: "" });
    await reader.inbox.take("ready", named("ready"));
    const expected: string[] = [];
    for (let round = 0; round < 3; round += 1) {
      // The first cut comes right after `ready`, before any event of the log.
      proxy.cut();
      for (let index = 0; index < 5; index += 1) {
        expected.push(`${round}.${index}`);
        await postAll(server, token, `${round}.${index}`);
      }
      await reader.inbox.take("the last of the round", saying(`${round}.4`), 15_000);
    }
    expect(texts(reader.inbox.items.filter(named("post message")))).toEqual(expected);
    reader.cut();
    proxy.close();
  });
});

test("Last-Event-ID wins over ?cursor=", async () => {
  await using server = await startServer();
  const { token } = await signUp(server, "ann");
  const early = await head(server);
  await postAll(server, token, "one");
  const late = await head(server);
  await postAll(server, token, "two");
  const reader = await openSse(server, { cursor: early, headers: { "last-event-id": late } });
  await reader.inbox.take("ready", named("ready"));
  expect(texts(reader.inbox.items)).toEqual(["two", "ready"]);
  reader.cut();
});

test.each(followingWires)(
  "over %s a reader whom nothing visible moved for 60 s gets `ready` again, once, and only if the log moved",
  async (_name, open) => {
    const clock = new TestClock();
    await using server = await startServer({}, { clock });
    const { token } = await signUp(server, "ann");
    const readers = [
      await open(server, { channels: [2], cursor: await head(server) }),
      await open(server, { channels: [1], cursor: await head(server) }),
    ] as const;
    const [elsewhere, here] = readers;
    await Promise.all(readers.map(({ inbox }) => inbox.take("ready", named("ready"))));
    const witness = await openPlain(server);
    const pass = async (ms: number) => {
      for (let left = ms; left > 0; left -= 5_000) {
        clock.advance(Math.min(left, 5_000));
        await witness.breathe();
        await Promise.all(readers.map((reader) => "breathe" in reader && (reader as typeof witness).breathe()));
        await request(server, "GET", "/live");
      }
    };
    await pass(70_000);
    await postAll(server, token, "moves the log");
    await here.inbox.take("the message", saying("moves the log"));
    await pass(2_000);
    const again = await elsewhere.inbox.count("ready", 2, named("ready"));
    expect(again.at(-1)).toMatchObject({ id: await head(server), data: { cursor: await head(server) } });
    await pass(70_000);
    await post(server, token, 2, "marker");
    await elsewhere.inbox.take("the marker", saying("marker"));
    expect(texts(elsewhere.inbox.items)).toEqual(["ready", "ready", "marker"]);
    expect(texts(here.inbox.items)).toEqual(["ready", "moves the log"]);
    // Nobody who did not ask for positions is told of them.
    expect(witness.inbox.items.filter(named("ready"))).toEqual([]);
    for (const reader of readers) reader.cut();
    await within(5_000, "closing", witness.close());
  },
);
