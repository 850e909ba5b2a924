import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { createClient } from "@redis/client";
import { describe, expect, test } from "vitest";
import { MemoryBuses } from "../../src/bus/memory.ts";
import { openRedisBus, type RedisBusOptions } from "../../src/bus/redis.ts";
import type { Bus } from "../../src/core/bus.ts";
import { systemClock } from "../../src/core/clock.ts";
import { randomTag } from "../../src/core/random.ts";
import { TestClock } from "../support/clock.ts";
import { RedisServer } from "../support/redis-server.ts";
import { leftOut, redisUrl } from "../support/services.ts";
import { Inbox, until, within } from "../support/wait.ts";

type Join = (onError?: (error: unknown) => void) => Promise<Bus>;
const ignore = () => {};

/** What Redis says to a command that its operator has taken away. */
const refusalWithPassword = "-ERR unknown command 'HELLO', with args beginning with: '3' 'AUTH' 'default' 'hunter2' \r\n";

function joinRedis(url: string, onState: RedisBusOptions["onState"] = ignore): Join {
  const channel = `keenchat-test:${randomTag(9)}`;
  return (onError = ignore) => openRedisBus({ url, channel, clock: systemClock, onError, onState });
}

const kinds: { kind: string; createJoin: () => Join }[] = [
  {
    kind: "memory",
    createJoin() {
      const buses = new MemoryBuses();
      return async (onError = ignore) => buses.join(onError);
    },
  },
  ...(leftOut("redis") ? [] : [{ kind: "redis", createJoin: () => joinRedis(redisUrl) }]),
];

function listen(bus: Bus, topic: string): Inbox<string> {
  const inbox = new Inbox<string>();
  bus.subscribe(topic, (message) => inbox.push(message));
  return inbox;
}

describe.each(kinds)("a bus of kind $kind", ({ createJoin }) => {
  test("carries a message to every node, the sender included, and to nobody on another topic", async () => {
    const join = createJoin();
    const [a, b] = [await join(), await join()];
    const inboxes = [listen(a, "t"), listen(b, "t")];
    const other = listen(b, "other");
    a.publish("t", "one");
    for (const inbox of inboxes) await inbox.take("the message", (message) => message === "one");
    a.publish("other", "marker");
    await other.take("the marker", (message) => message === "marker");
    expect(other.items).toEqual(["marker"]);
    await Promise.all([a.close(), b.close()]);
  });

  test("keeps each sender's order, and what is sent while somebody is called back comes after", async () => {
    const join = createJoin();
    const [a, b] = [await join(), await join()];
    const inbox = listen(b, "t");
    a.subscribe("t", (message) => message === "0" && a.publish("t", "answer"));
    for (let index = 0; index < 100; index += 1) a.publish("t", String(index));
    await inbox.take("the answer", (message) => message === "answer");
    expect(inbox.items.filter((message) => message !== "answer")).toEqual(Array.from({ length: 100 }, (_, index) => String(index)));
    await Promise.all([a.close(), b.close()]);
  });

  test("carries line breaks, quotes and every kind of character as they are", async () => {
    const join = createJoin();
    const a = await join();
    const inbox = listen(a, "t");
    const text = 'a\nb\r\n"c" ü 🙂 \u0000';
    a.publish("t", text);
    await inbox.take("the text", (message) => message === text);
    await a.close();
  });

  test("carries a long message whole", async () => {
    const a = await createJoin()();
    const inbox = listen(a, "t");
    const text = "ü".repeat(1_000_000);
    a.publish("t", text);
    expect((await inbox.take("the text", () => true)).length).toBe(text.length);
    expect(inbox.items[0] === text).toBe(true);
    await a.close();
  });

  test("keeps installations apart", async () => {
    const [ours, theirs] = [await createJoin()(), await createJoin()()];
    const [heardByUs, heardByThem] = [listen(ours, "t"), listen(theirs, "t")];
    ours.publish("t", "ours");
    await heardByUs.take("our message", (message) => message === "ours");
    theirs.publish("t", "theirs");
    await heardByThem.take("their message", (message) => message === "theirs");
    expect([heardByUs.items, heardByThem.items]).toEqual([["ours"], ["theirs"]]);
    await Promise.all([ours.close(), theirs.close()]);
  });

  test("calls each listener of a topic once, and not whoever comes after the message", async () => {
    const join = createJoin();
    const [a, b] = [await join(), await join()];
    const inboxes = [listen(a, "t"), listen(a, "t"), listen(b, "t")];
    a.publish("t", "early");
    for (const inbox of inboxes) await inbox.take("the message", (message) => message === "early");
    const late = listen(b, "t");
    a.publish("t", "later");
    await late.take("the next message", () => true);
    for (const inbox of inboxes) await inbox.take("the next message", (message) => message === "later");
    expect(inboxes.map(({ items }) => items)).toEqual([1, 2, 3].map(() => ["early", "later"]));
    expect(late.items).toEqual(["later"]);
    await Promise.all([a.close(), b.close()]);
  });

  test("a listener that fails is reported and stops nobody; one that has gone is not called", async () => {
    const join = createJoin();
    const errors = new Inbox<unknown>();
    const a = await join((error) => errors.push(error));
    a.subscribe("t", () => {
      throw new Error("cannot read this");
    });
    const gone: string[] = [];
    const stop = a.subscribe("t", (message) => gone.push(message));
    stop();
    const inbox = listen(a, "t");
    a.publish("t", "one");
    await inbox.take("the message", (message) => message === "one");
    await errors.take("the error", () => true);
    expect(gone).toEqual([]);
    await a.close();
  });

  test("a node that has closed neither hears nor is heard", async () => {
    const join = createJoin();
    const [a, b] = [await join(), await join()];
    const [heardByA, heardByB] = [listen(a, "t"), listen(b, "t")];
    await a.close();
    a.publish("t", "from the grave");
    b.publish("t", "marker");
    await heardByB.take("the marker", (message) => message === "marker");
    expect(heardByB.items).toEqual(["marker"]);
    expect(heardByA.items).toEqual([]);
    await b.close();
  });
});

describe.each(leftOut("redis") ? [] : ["Redis"])("a bus over %s", () => {
  test.each(["stopped", "blackholed"] as const)("carries again by itself after Redis was %s", async (how) => {
    await using redis = await RedisServer.start();
    const states = new Inbox<boolean>();
    const bus = await joinRedis(redis.url, (carries) => states.push(carries))();
    await states.take("carrying", (carries) => carries, 10_000);
    if (how === "stopped") await redis.stop();
    else redis.signal("SIGSTOP");
    await states.take("not carrying", (carries) => !carries, 15_000);
    const asked = performance.now();
    bus.publish("t", "lost");
    expect(performance.now() - asked).toBeLessThan(50);
    if (how === "stopped") await redis.start();
    else redis.signal("SIGCONT");
    await states.count("carrying", 2, (carries) => carries, 15_000);
    const inbox = listen(bus, "t");
    bus.publish("t", "found");
    await inbox.take("the message", (message) => message === "found");
    await bus.close();
  });

  test("is not held up by a Redis that takes connections and says nothing, neither in coming back nor in going", async () => {
    const silent = createServer(() => {}).listen(0, "127.0.0.1");
    const connections = new Inbox<Socket>();
    silent.on("connection", (socket) => connections.push(socket));
    await once(silent, "listening");
    const bus = await joinRedis(`redis://127.0.0.1:${(silent.address() as AddressInfo).port}`)();
    // Two at a time: it has given up on the first ones, and tries again.
    await connections.count("connections", 4, () => true, 15_000);
    await within(5_000, "the close", bus.close());
    for (const socket of connections.items) socket.destroy();
    silent.close();
  });

  test("keeps no connection that it gave up while it was being made", async () => {
    await using redis = await RedisServer.start();
    const observer = createClient({ url: redis.url });
    await observer.connect();
    const made = async () => Number(/total_connections_received:(\d+)/.exec(await observer.info("stats"))?.[1]) - 1;
    const open = async () => (await observer.clientList()).length - 1;
    const clock = new TestClock();
    const states = new Inbox<boolean>();
    const onState = (carries: boolean) => states.push(carries);
    const opening = openRedisBus({ url: redis.url, channel: `keenchat-test:${randomTag(9)}`, clock, onError: ignore, onState });
    await until("five attempts", 15_000, async () => {
      // Long enough to begin an attempt and to give it up, before the connections' own events are heard.
      clock.advance(4_000);
      return (await made()) >= 10;
    });
    await until("carrying", 15_000, () => {
      clock.advance(1_000);
      return states.items.at(-1) === true;
    });
    await until("no more than two connections", 5_000, async () => (await open()) === 2);
    await (await opening).close();
    await until("no connection", 5_000, async () => (await open()) === 0);
    observer.destroy();
  });

  test.each<[string, string, (socket: Socket) => void, RegExp]>([
    ["closes each connection", "redis", (socket) => socket.destroy(), /^(ECONNRESET|Socket closed unexpectedly)$/],
    ["speaks no TLS", "rediss", (socket) => socket.once("data", () => socket.write("-ERR Protocol error\r\n")), /^ERR_SSL_/],
    ["says nothing", "redis", () => {}, /^it says nothing$/],
    [
      "repeats the password",
      "redis",
      (socket) => socket.on("data", () => socket.write(refusalWithPassword)),
      /^ERR unknown command 'HELLO'$/,
    ],
  ])("says once, and without a secret, why it does not carry: what is there %s", async (_, scheme, answer, reason) => {
    const states = new Inbox<{ carries: boolean; reason: string | undefined }>();
    const sockets = new Inbox<Socket>();
    const server = createServer((socket) => {
      socket.on("error", ignore);
      sockets.push(socket);
      answer(socket);
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    const url = `${scheme}://:hunter2@127.0.0.1:${(server.address() as AddressInfo).port}`;
    const bus = await joinRedis(url, (carries, reason) => states.push({ carries, reason }))();
    await states.take("the reason", () => true, 15_000);
    await sockets.count("connections of another attempt", sockets.items.length + 2, () => true, 15_000);
    expect(states.items).toEqual([{ carries: false, reason: expect.stringMatching(reason) }]);
    expect(bus.carries).toBe(false);
    await bus.close();
    for (const socket of sockets.items) socket.destroy();
    server.close();
  });

  test("begins to carry when Redis comes, where it was away at the start", async () => {
    await using redis = await RedisServer.start();
    await redis.stop();
    const states = new Inbox<boolean>();
    const bus = await joinRedis(redis.url, (carries) => states.push(carries))();
    await redis.start();
    await states.take("carrying", (carries) => carries, 15_000);
    await bus.close();
  });
});
