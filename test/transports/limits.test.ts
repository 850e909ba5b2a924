import { once } from "node:events";
import { connect } from "node:net";
import { describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { TestClock } from "../support/clock.ts";
import { request, signUp } from "../support/http.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { type TrpcFrame, TrpcSocket } from "../support/trpc-frames.ts";
import { Inbox, within } from "../support/wait.ts";
import { connectTrpc, openPlain, openSse, openTrpcSse } from "../support/wires.ts";

/** Tries an upgrade; resolves with the status that refuses it, and its headers and body, or with 101. */
async function upgrade(url: string, headers: Record<string, string> = {}) {
  const ws = new WebSocket(url, { headers });
  ws.on("error", () => {});
  return within(
    10_000,
    "the upgrade",
    new Promise<{ status: number; retryAfter?: string | undefined; body?: unknown; ws: WebSocket }>((resolve) => {
      ws.once("open", () => resolve({ status: 101, ws }));
      ws.once("unexpected-response", (_request, response) => {
        let text = "";
        response.on("data", (chunk) => {
          text += chunk;
        });
        response.on("end", () =>
          resolve({ status: response.statusCode ?? 0, retryAfter: response.headers["retry-after"], body: JSON.parse(text), ws }),
        );
      });
    }),
  );
}

describe("MAX_SOCKETS_PER_ADDRESS", () => {
  test("counts sockets and streams of every wire together, and gives each place back", async () => {
    await using server = await startServer({ MAX_SOCKETS_PER_ADDRESS: "4" });
    const plain = await openPlain(server);
    const trpc = connectTrpc(`${server.wsUrl}/trpc`);
    await trpc.follow().take("ready", ({ event }) => event === "ready");
    const sse = await openSse(server);
    const trpcSse = openTrpcSse(server);
    await trpcSse.inbox.take("ready", ({ event }) => event === "ready");
    for (const url of [server.wsUrl, `${server.wsUrl}/trpc`, server.restUrl.replace("http", "ws")]) {
      expect(await upgrade(url)).toMatchObject({
        status: 429,
        retryAfter: "10",
        body: { code: "TOO_MANY_REQUESTS", error: expect.any(String) },
      });
    }
    const late = await openSse(server);
    await within(10_000, "the end of the stream", late.ended);
    const comeBack = ": Too many connections from this address.\nretry: 10000";
    expect([late.comments, late.inbox.items]).toEqual([[comeBack], []]);
    const refused = await fetch(`${server.restUrl}/trpc/events`, { headers: { accept: "text/event-stream" } });
    expect([refused.status, await refused.text()]).toEqual([200, `${comeBack}\n\n`]);
    // Requests are no sockets.
    expect((await request(server, "GET", "/event")).status).toBe(200);
    await plain.close();
    const again = await upgrade(server.wsUrl);
    expect(again.status).toBe(101);
    sse.cut();
    await within(
      10_000,
      "a place",
      (async () => {
        for (;;) {
          const next = await upgrade(server.wsUrl);
          if (next.status === 101) return next.ws.close();
        }
      })(),
    );
    await plain.closed;
    await trpc.close();
    trpcSse.cut();
    again.ws.close();
  });

  test("counts a Socket.IO client that has opened a connection and said nothing yet", async () => {
    await using server = await startServer({ MAX_SOCKETS_PER_ADDRESS: "1" });
    const url = `${server.wsUrl}/socket.io/?EIO=4&transport=websocket`;
    const silent = new WebSocket(url);
    await within(10_000, "opening", once(silent, "open"));
    expect((await upgrade(server.wsUrl)).status).toBe(429);
    const second = new WebSocket(url);
    expect((await within(10_000, "the close", once(second, "close")))[0]).toBe(1008);
    expect(silent.readyState).toBe(WebSocket.OPEN);
    silent.close();
    await within(10_000, "the close", once(silent, "close"));
    const next = await upgrade(server.wsUrl);
    expect(next.status).toBe(101);
    next.ws.close();
  });

  test("counts the client's own address behind a trusted proxy, and believes nobody else", async () => {
    await using behind = await startServer({ MAX_SOCKETS_PER_ADDRESS: "1", TRUSTED_PROXIES: "127.0.0.1" });
    const from = (address: string) => ({ "x-forwarded-for": address });
    expect((await upgrade(behind.wsUrl, from("203.0.113.1"))).status).toBe(101);
    expect((await upgrade(behind.wsUrl, from("203.0.113.2"))).status).toBe(101);
    expect((await upgrade(behind.wsUrl, from("203.0.113.1"))).status).toBe(429);
    expect((await upgrade(behind.wsUrl, from("198.51.100.9, 203.0.113.2"))).status).toBe(429);
    // Some balancers write the port too, and a socket may name IPv4 in IPv6's way.
    expect((await upgrade(behind.wsUrl, from("203.0.113.2:4711"))).status).toBe(429);
    expect((await upgrade(behind.wsUrl, from("[::ffff:203.0.113.2]:80, 127.0.0.1:9"))).status).toBe(429);
    expect((await upgrade(behind.wsUrl, from("203.0.113.3:4711"))).status).toBe(101);
    await using open = await startServer({ MAX_SOCKETS_PER_ADDRESS: "1" });
    expect((await upgrade(open.wsUrl, from("203.0.113.1"))).status).toBe(101);
    expect((await upgrade(open.wsUrl, from("203.0.113.2"))).status).toBe(429);
  });
});

test("a /64 of IPv6, which is what one customer has, counts as one address; the next /64 does not", async () => {
  await using server = await startServer({ MAX_SOCKETS_PER_ADDRESS: "1", TRUSTED_PROXIES: "127.0.0.1" });
  const status = async (address: string) => (await upgrade(server.wsUrl, { "x-forwarded-for": address })).status;
  expect(await status("2001:db8:0:1::1")).toBe(101);
  for (const same of ["2001:db8:0:1::1", "2001:DB8:0:1:ffff::2", "[2001:db8::1:0:0:0:3]:443", "2001:0db8:0000:0001:a:b:c:d"])
    expect([same, await status(same)]).toEqual([same, 429]);
  for (const other of ["2001:db8:0:2::1", "2001:db8::1", "::1:2:3:4", "fe80::1%eth0", "198.51.100.1"])
    expect([other, await status(other)]).toEqual([other, 101]);
  expect(await status("fe80::2")).toBe(429);
});

test("who is refused an upgrade and does not hang up is not waited for", async () => {
  await using server = await startServer();
  const { hostname, port } = new URL(server.wsUrl);
  const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true });
  socket.write(`GET /nothing HTTP/1.1\r\nHost: ${hostname}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`);
  let text = "";
  socket.on("data", (chunk) => {
    text += chunk;
  });
  await within(10_000, "the answer", once(socket, "end"));
  expect(text).toMatch(/^HTTP\/1\.1 404 /);
  // Nothing of ours is open at its end, so what is sent there is answered with a reset.
  const cut = once(socket, "error");
  const sending = setInterval(() => socket.write("still here"), 10);
  await within(10_000, "the reset", cut);
  clearInterval(sending);
});

test("who has the library answer and takes nothing is ended too, and nobody else is", async () => {
  await using server = await startServer({ MAX_SOCKETS_PER_ADDRESS: "2" });
  const { hostname, port } = new URL(server.wsUrl);
  const other = new WebSocket(`${server.wsUrl}/socket.io/?EIO=4&transport=websocket`);
  await within(10_000, "opening", once(other, "open"));
  const socket = connect(Number(port), hostname);
  socket.on("error", () => {});
  socket.write(
    "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
  );
  await within(10_000, "the answer", once(socket, "data"));
  socket.pause();
  // To a namespace that is not there: the library refuses it by its name.
  const text = Buffer.from(`40/${"n".repeat(60_000)},`);
  const frame = Buffer.concat([Buffer.from([0x81, 0xfe, text.length >> 8, text.length & 0xff, 0, 0, 0, 0]), text]);
  // Fewer than would be a flood, and more than the sockets between us hold.
  for (let sent = 0; sent < 190; sent += 1) socket.write(frame);
  const freed = async () => {
    for (;;) {
      const next = await upgrade(server.wsUrl);
      if (next.status === 101) return next.ws.close();
    }
  };
  await within(15_000, "its place", freed());
  expect(other.readyState).toBe(WebSocket.OPEN);
  socket.destroy();
  other.close();
});

test("commands sent all at once are carried out all, in their order", async () => {
  await using server = await startServer();
  const { id, token } = await signUp(server, "ann");
  const client = await openPlain(server, { token });
  for (let sent = 0; sent < 190; sent += 1) client.send("change channel", { id: 1 + (sent % 2) });
  await client.settled();
  expect(client.inbox.items.filter(({ event }) => event === "error")).toEqual([]);
  for (const [channel, users] of [
    [1, []],
    [2, [id]],
  ]) {
    expect((await request(server, "GET", `/channel/${channel}/users`)).body.users).toEqual(users);
  }
  await client.close();
});

/** A Socket.IO client over polling that sends bodies of its own; their status is undefined where the connection was cut. */
async function openPolling(server: TestServer, token?: string) {
  const url = `${server.restUrl}/socket.io/?EIO=4&transport=polling${token === undefined ? "" : `&auth=${token}`}`;
  const { sid } = JSON.parse((await (await fetch(url)).text()).slice(1)) as { sid: string };
  const session = `${url}&sid=${sid}`;
  return {
    async say(packets: string[]) {
      const answer = await fetch(session, { method: "POST", body: packets.join("\u001e") }).catch(() => undefined);
      await answer?.text();
      return answer?.status;
    },
    take: async () => (await fetch(session)).text(),
  };
}

test("who asks over Socket.IO and takes no answer is ended before its answers pile up, and nobody else is", async () => {
  await using server = await startServer();
  const [deaf, other] = [await openPolling(server), await openPolling(server)];
  for (const client of [deaf, other]) expect(await client.say(["40"])).toBe(200);
  // To a namespace that is not there: the library refuses it by its name, some 60 KiB a round.
  const asked = [`40/${"n".repeat(60_000)},`];
  let rounds = 0;
  while ((await deaf.say(asked)) === 200 && rounds < 14) rounds += 1;
  expect(rounds).toBeLessThan(14);
  expect(await other.say(['42["connection"]'])).toBe(200);
  expect(await other.take()).toMatch(/^40/);
  expect(await other.take()).toContain("ready");
});

describe("the frames of five seconds at once", () => {
  test("close a plain socket with 1008, as many as allowed do not, and nobody else is closed", async () => {
    const clock = new TestClock();
    await using server = await startServer({ MAX_FRAMES_PER_SECOND: "20" }, { clock });
    const [flooding, busy, other] = [await openPlain(server), await openPlain(server), await openPlain(server)];
    for (let sent = 0; sent < 101; sent += 1) {
      flooding.send("connection");
      if (sent < 98) busy.send("connection");
    }
    expect(await within(5_000, "the close", flooding.closed)).toMatchObject({ code: 1008 });
    await busy.settled();
    await other.settled();
    clock.advance(1_000);
    for (let sent = 0; sent < 18; sent += 1) busy.send("connection");
    await busy.settled();
  });

  test("end a Socket.IO connection in one body of its polling, and carry out no more of it", async () => {
    await using server = await startServer();
    const { id, token } = await signUp(server, "ann");
    const flooding = await openPolling(server, token);
    const other = await openPlain(server, { token });
    await other.inbox.take("identified", ({ event }) => event === "identified");
    expect(await flooding.say(["40"])).toBe(200);
    await flooding.say([...Array.from({ length: 2_999 }, () => '42["connection"]'), '42["start typing",{"channel_id":1}]']);
    expect(await flooding.say(["3"])).toBe(400);
    await request(server, "POST", "/channel/2/typing", { token });
    await other.inbox.take("typing", ({ event }) => event === "start typing");
    expect(other.inbox.items.filter(({ event }) => event === "start typing")).toMatchObject([{ data: { user_id: id, channel_id: 2 } }]);
  });
});

test("commands that wait on a Socket.IO connection are bounded by their bytes, and nobody else's are", async () => {
  await using server = await startServer();
  const [light, heavy] = [await openPolling(server), await openPolling(server)];
  const asked = (token: string | null) => Array.from({ length: 900 }, () => `42["identify",${JSON.stringify(token)}]`);
  for (const client of [light, heavy]) expect(await client.say(["40"])).toBe(200);
  expect(await heavy.say(asked("x".repeat(110)))).toBe(200);
  expect(await light.say(asked(null))).toBe(200);
  expect(await heavy.say(["3"])).toBe(400);
  expect(await light.say(["3"])).toBe(200);
});

test("a frame of Socket.IO over 128 KiB closes its socket with 1009, one of 128 KiB does not", async () => {
  await using server = await startServer();
  const open = async () => {
    const client = new WebSocket(`${server.wsUrl}/socket.io/?EIO=4&transport=websocket`);
    const inbox = new Inbox<string>();
    client.on("message", (data) => inbox.push(String(data)));
    await within(10_000, "opening", once(client, "open"));
    client.send("40");
    await inbox.take("the connection", (text) => text.startsWith("40"));
    return { client, inbox };
  };
  const [large, larger] = [await open(), await open()];
  large.client.send(`42["${"x".repeat(128 * 1024 - 6)}"]`);
  await large.inbox.take("the error", (text) => text.startsWith('42["error"'));
  larger.client.send("4".repeat(128 * 1024 + 1));
  expect((await within(10_000, "the close", once(larger.client, "close")))[0]).toBe(1009);
  expect(large.client.readyState).toBe(WebSocket.OPEN);
  large.client.close();
});

describe("on one tRPC socket", () => {
  const openRaw = (server: TestServer, token = "") => TrpcSocket.open(`${server.wsUrl}/trpc${token && `?auth=${token}`}`);
  const subscription = (id: number, path = "events", input: unknown = {}) => ({ id, method: "subscription", params: { path, input } });
  const query = (id: number) => ({ id, method: "query", params: { path: "channel.get", input: { id: 1 } } });
  const refused = ({ error }: TrpcFrame) => error?.data.code === "TOO_MANY_REQUESTS";

  test("MAX_SUBSCRIPTIONS_PER_SOCKET counts both kinds of subscriptions, and one that stops makes room", async () => {
    await using server = await startServer({ MAX_SUBSCRIPTIONS_PER_SOCKET: "3" });
    const { token } = await signUp(server, "ann");
    const client = await openRaw(server, token);
    client.send([
      subscription(1),
      subscription(2, "channel.presence", { id: 1 }),
      subscription(3),
      subscription(4),
      subscription(5, "channel.presence", { id: 2 }),
    ]);
    await client.inbox.count("refusals", 2, refused);
    expect(
      client.inbox.items
        .filter(refused)
        .map(({ id }) => id)
        .sort(),
    ).toEqual([4, 5]);
    expect((await request(server, "GET", "/channel/2/users")).body.users).toEqual([]);
    client.send({ id: 2, method: "subscription.stop" });
    await client.inbox.take("the stop", ({ id, result }) => id === 2 && result?.type === "stopped");
    client.send(subscription(6));
    await client.inbox.take("the new one", ({ id, result }) => id === 6 && result?.type === "started");
    // What never was counts no longer.
    for (let id = 10; id < 20; id += 1) client.send(subscription(id, "nothing.here"));
    client.send({ id: 1, method: "subscription.stop" });
    await client.inbox.take("the stop", ({ id, result }) => id === 1 && result?.type === "stopped");
    client.send(subscription(1));
    await client.inbox.count("started", 2, ({ id, result }) => id === 1 && result?.type === "started");
    await client.close();
  });

  test("MAX_CALLS_PER_SOCKET lets the others wait their turn: all are answered, and the socket goes on", async () => {
    await using server = await startServer({ MAX_CALLS_PER_SOCKET: "2" });
    const client = await openRaw(server);
    for (let round = 0; round < 20; round += 1) {
      client.send(Array.from({ length: 20 }, (_, index) => query(100 * round + index)));
      client.send(query(100 * round + 20));
    }
    await client.inbox.count("answers", 420, ({ result }) => result?.data?.id === 1);
    expect(client.inbox.items).toHaveLength(420);
    client.send(subscription(9_000));
    await client.inbox.take("ready", ({ id, result }) => id === 9_000 && result?.data?.data?.event === "ready");
    await client.close();
  });

  test("calls that wait are not carried out for a session that has ended", async () => {
    await using server = await startServer({ MAX_CALLS_PER_SOCKET: "1" });
    const { token } = await signUp(server, "ann");
    const client = await openRaw(server, token);
    const input = { username: "ann", password: "not this one" };
    const posting = (id: number) => ({
      id,
      method: "mutation",
      params: { path: "message.post", input: { channel_id: 1, message_text: "late" } },
    });
    // Its password takes a while to compare; the posts wait behind it.
    client.send([
      { id: 1, method: "mutation", params: { path: "auth.login", input } },
      ...Array.from({ length: 19 }, (_, index) => posting(2 + index)),
    ]);
    await request(server, "DELETE", "/auth", { token });
    await within(10_000, "the close", client.closed);
    const { token: other } = await signUp(server, "bob");
    await request(server, "POST", "/message", { token: other, body: { channel_id: 1, message_text: "marker" } });
    const { body } = await request(server, "GET", "/message");
    expect(body.at(-1).message_text).toBe("marker");
    const before = body.length;
    await signUp(server, "carl");
    expect((await request(server, "GET", "/message")).body).toHaveLength(before);
    expect(before).toBeLessThan(20);
  });

  test("one key posted fifty times at once over one socket is one message", async () => {
    await using server = await startServer();
    const { id: user_id, token } = await signUp(server, "ann");
    const client = await openRaw(server, token);
    const input = { channel_id: 1, message_text: "once", client_message_id: "fifty" };
    for (let id = 1; id <= 50; id += 1) client.send({ id, method: "mutation", params: { path: "message.post", input } });
    const answers = await client.inbox.count("answers", 50, ({ result }) => result !== undefined);
    expect(new Set(answers.map(({ result }) => result?.data?.id)).size).toBe(1);
    expect((await request(server, "GET", "/message")).body).toMatchObject([{ user_id, message_text: "once" }]);
    await client.close();
  });

  test("a call that makes no sense takes no place, and its neighbours in the batch are carried out", async () => {
    await using server = await startServer({ MAX_CALLS_PER_SOCKET: "2" });
    const client = await openRaw(server);
    for (let round = 0; round < 5; round += 1) {
      client.send([{ id: round, method: "query", params: { path: 1 } }, query(100 + round), null]);
      await client.inbox.take("the answer", ({ id, result }) => id === 100 + round && result !== undefined);
    }
    expect(client.inbox.items.filter(refused)).toEqual([]);
    await client.close();
  });

  test("a batch of 100 is carried out, one of more is refused whole", async () => {
    await using server = await startServer({ MAX_CALLS_PER_SOCKET: "20" });
    const client = await openRaw(server);
    const batch = (length: number, from: number) => Array.from({ length }, (_, index) => query(from + index));
    client.send(batch(100, 100));
    await client.inbox.count("answers", 100, ({ result }) => result?.data?.id === 1);
    client.send([...batch(100, 200), subscription(300)]);
    await client.inbox.take("the refusal", ({ error }) => error !== undefined);
    client.send(query(1));
    await client.inbox.take("the answer after it", ({ id }) => id === 1);
    expect(client.inbox.items.filter(({ id, result }) => Number(id) >= 200 && result)).toEqual([]);
    await client.close();
  });
});
