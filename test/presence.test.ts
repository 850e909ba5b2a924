import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { TestClock } from "./support/clock.ts";
import { request, signUp } from "./support/http.ts";
import { startServer, type TestServer } from "./support/server.ts";
import { TrpcSocket } from "./support/trpc-frames.ts";
import { Inbox, within } from "./support/wait.ts";
import { connectTrpc, openPlain, openSse, openTrpcWs, PlainClient, type Received, type TrpcClient } from "./support/wires.ts";

interface User {
  readonly id: number;
  readonly token: string;
}
interface Users {
  readonly channel_id: number;
  readonly users: number[];
}

let clock: TestClock;
let server: TestServer;
let ann: User;
let bob: User;
let witness: PlainClient;
beforeAll(async () => {
  clock = new TestClock();
  server = await startServer({}, { clock });
  ann = await signUp(server, "ann");
  bob = await signUp(server, "bob");
  witness = await openPlain(server);
});
afterAll(() => server.close());

const usersOf = async (channelId: number): Promise<number[]> => (await request(server, "GET", `/channel/${channelId}/users`)).body.users;

/** A channel of its own for each test, so that none hears another's movements. */
async function newChannel(): Promise<number> {
  return (await request(server, "POST", "/channel", { token: ann.token, body: { title: "Room" } })).body.id;
}

/** Every announcement of a channel that the witness has heard, and those of half a minute from now. */
async function movements(channelId: number, ms = 3_000): Promise<number[][]> {
  for (let passed = 0; passed < ms; passed += 250) {
    clock.advance(250);
    await witness.breathe();
  }
  return witness.inbox.items
    .filter(({ event, data }) => event === "channel movement" && data.channel_id === channelId)
    .map(({ data }) => data.users);
}

async function identified(user: User): Promise<PlainClient> {
  const client = await openPlain(server, { token: user.token });
  await client.inbox.take("identified", ({ event }) => event === "identified");
  return client;
}

async function enter(client: PlainClient, channelId: number | null): Promise<void> {
  client.send("change channel", { id: channelId });
  await client.settled();
}

/** Opens `channel.presence`, and waits for its first answer. */
async function openPresence(client: TrpcClient, channelId: number) {
  const inbox = new Inbox<Users | "complete" | "failed">();
  const subscription = client.api.channel.presence.subscribe(
    { id: channelId },
    {
      onData: (value) => inbox.push(value),
      onComplete: () => inbox.push("complete"),
      onError: () => inbox.push("failed"),
    },
  );
  await inbox.take("the users", () => true);
  return { inbox, subscription };
}

test("whoever changes to a channel is in it, and everybody is told of both channels", async () => {
  const [first, second] = [await newChannel(), await newChannel()];
  const readers = [await openSse(server), openTrpcWs(server)];
  await Promise.all(readers.map(({ inbox }) => inbox.take("ready", ({ event }) => event === "ready")));
  const client = await identified(ann);
  await enter(client, first);
  expect(await usersOf(first)).toEqual([ann.id]);
  expect(await movements(first)).toEqual([[ann.id]]);
  await enter(client, second);
  expect(await movements(first)).toEqual([[ann.id], []]);
  expect(await movements(second)).toEqual([[ann.id]]);
  const moved = ({ event, data }: Received) => event === "channel movement" && [first, second].includes(data.channel_id);
  for (const { inbox } of readers) {
    const heard = await inbox.count("movements", 3, moved);
    expect(heard.every((item) => item.id === undefined)).toBe(true);
    expect(heard.map(({ data }) => data)).toEqual(
      expect.arrayContaining([
        { channel_id: first, users: [ann.id] },
        { channel_id: first, users: [] },
        { channel_id: second, users: [ann.id] },
      ]),
    );
  }
  client.send("change channel", null);
  await client.settled();
  expect(await movements(second)).toEqual([[ann.id], []]);
  for (const reader of readers) reader.cut();
  await client.close();
});

test("movements pass the channel filter, and nobody else's get through", async () => {
  const [mine, other] = [await newChannel(), await newChannel()];
  const reader = await openSse(server, { channels: [mine] });
  await reader.inbox.take("ready", ({ event }) => event === "ready");
  const client = await identified(ann);
  await enter(client, other);
  await movements(other);
  await enter(client, mine);
  await movements(mine);
  await reader.inbox.take("the movement", ({ data }) => data.channel_id === mine);
  expect(reader.inbox.items.map(({ data }) => data.channel_id).filter(Boolean)).toEqual([mine]);
  reader.cut();
  await client.close();
});

test("several sockets of one user count once, and the user is in until the last has gone", async () => {
  const channel = await newChannel();
  const [one, two] = [await identified(ann), await identified(ann)];
  const trpc = connectTrpc(`${server.wsUrl}/trpc`, { token: ann.token });
  const [later] = [await identified(bob)];
  await enter(one, channel);
  await movements(channel);
  await enter(two, channel);
  expect(
    await two.inbox.take(
      "who is there, for the newcomer",
      ({ event, data }) => event === "channel movement" && data.channel_id === channel,
    ),
  ).toMatchObject({
    data: { users: [ann.id] },
  });
  const { inbox } = await openPresence(trpc, channel);
  expect(inbox.items[0]).toEqual({ channel_id: channel, users: [ann.id] });
  await enter(later, channel);
  expect(await movements(channel)).toEqual([[ann.id], [ann.id, bob.id]]);
  await one.close();
  await enter(two, null);
  expect(await movements(channel)).toEqual([[ann.id], [ann.id, bob.id]]);
  await trpc.close();
  expect(await movements(channel)).toEqual([[ann.id], [ann.id, bob.id], [bob.id]]);
  await Promise.all([two.close(), later.close()]);
});

describe("channel.presence", () => {
  test("yields who is there at once and at each change; while it is open the caller is in, and no longer", async () => {
    const channel = await newChannel();
    const trpc = connectTrpc(`${server.wsUrl}/trpc`, { token: ann.token });
    const { inbox, subscription } = await openPresence(trpc, channel);
    expect(await usersOf(channel)).toEqual([ann.id]);
    await movements(channel);
    const client = await identified(bob);
    await enter(client, channel);
    await movements(channel);
    await enter(client, null);
    await movements(channel);
    await inbox.count("changes", 3);
    expect(inbox.items).toEqual([
      { channel_id: channel, users: [ann.id] },
      { channel_id: channel, users: [ann.id, bob.id] },
      { channel_id: channel, users: [ann.id] },
    ]);
    subscription.unsubscribe();
    await trpc.api.channel.users.query({ id: channel });
    await witness.settled();
    expect((await movements(channel)).at(-1)).toEqual([]);
    expect(await usersOf(channel)).toEqual([]);
    await Promise.all([trpc.close(), client.close()]);
  });

  test("wants a token and a channel that is there", async () => {
    const stranger = connectTrpc(`${server.wsUrl}/trpc`);
    expect((await openPresence(stranger, 1)).inbox.items).toEqual(["failed"]);
    const known = connectTrpc(`${server.wsUrl}/trpc`, { token: ann.token });
    expect((await openPresence(known, 9_999)).inbox.items).toEqual(["failed"]);
    await Promise.all([stranger.close(), known.close()]);
  });

  test("ends when its channel is removed, and everybody in it is nowhere", async () => {
    const channel = await newChannel();
    const trpc = connectTrpc(`${server.wsUrl}/trpc`, { token: bob.token });
    const { inbox } = await openPresence(trpc, channel);
    const client = await identified(ann);
    await enter(client, channel);
    await movements(channel);
    await request(server, "DELETE", `/channel/${channel}`, { token: ann.token });
    await inbox.take("the end", (item) => item === "complete");
    expect((await request(server, "GET", `/channel/${channel}/users`)).status).toBe(404);
    await enter(client, 1);
    expect(await usersOf(1)).toEqual([ann.id]);
    await Promise.all([trpc.close(), client.close()]);
  });
});

test("announcements of a channel are merged: one within 250 ms, with what is true then", async () => {
  const channel = await newChannel();
  const client = await identified(ann);
  const heard = () => witness.inbox.items.filter(({ event, data }) => event === "channel movement" && data.channel_id === channel).length;
  const pass = async (ms: number) => {
    for (let passed = 0; passed < ms; passed += 10) {
      clock.advance(10);
      client.send("change channel", { id: passed % 30 < 20 ? channel : null });
      await client.settled();
    }
    await witness.breathe();
  };
  await pass(240);
  expect(heard()).toBeLessThanOrEqual(1);
  await pass(1_000);
  expect(heard()).toBeGreaterThan(2);
  expect(heard()).toBeLessThanOrEqual(6);
  await enter(client, channel);
  expect((await movements(channel)).at(-1)).toEqual([ann.id]);
  await client.close();
});

test("a user who goes through many channels is announced in few of them, and where they stay within 2 s; others are at once", async () => {
  const channels: number[] = [];
  while (channels.length < 40) channels.push(await newChannel());
  const [client, other] = [await identified(ann), await identified(bob)];
  const [start, last] = [witness.inbox.items.length, channels.at(-1) ?? 0];
  for (let round = 0; round < 5; round += 1) {
    for (const id of channels) {
      await enter(client, id);
      clock.advance(25);
    }
  }
  const heard = () => witness.inbox.items.slice(start).filter(({ event }) => event === "channel movement");
  await witness.settled();
  // 400 movements within 5 s: the first ones, and four a second.
  expect(heard().length).toBeGreaterThan(5);
  expect(heard().length).toBeLessThanOrEqual(40);
  await enter(other, channels[0] ?? 0);
  clock.advance(20);
  await witness.inbox.take("bob's coming", ({ data }) => data?.channel_id === channels[0] && data.users?.includes(bob.id));
  expect((await movements(last, 1_750)).at(-1)).toEqual([ann.id]);
  for (const id of channels.slice(1, -1)) expect(heard().findLast(({ data }) => data.channel_id === id)?.data.users ?? []).toEqual([]);
  await Promise.all([client.close(), other.close()]);
  await movements(last);
});

describe("a connection that ends", () => {
  test("cleanly, leaves within 2 s", async () => {
    const channel = await newChannel();
    const client = await identified(ann);
    await enter(client, channel);
    await movements(channel);
    await client.close();
    expect((await movements(channel, 2_000)).at(-1)).toEqual([]);
    expect(await usersOf(channel)).toEqual([]);
  });

  test.each(["plain", "tRPC"])("in a page that reloads within a second makes no noise (%s)", async (wire) => {
    const channel = await newChannel();
    const come = async () => {
      if (wire === "plain") {
        const client = await identified(ann);
        await enter(client, channel);
        return () => client.cut();
      }
      const trpc = connectTrpc(`${server.wsUrl}/trpc`, { token: ann.token });
      await openPresence(trpc, channel);
      return () => {
        trpc.sockets[0]?.terminate();
        void trpc.close();
      };
    };
    const vanish = await come();
    await movements(channel, 500);
    vanish();
    // By then the server has seen it go.
    for (let turn = 0; turn < 5; turn += 1) await witness.breathe();
    clock.advance(600);
    await witness.breathe();
    const leave = await come();
    expect(await movements(channel)).toEqual([[ann.id]]);
    leave();
    await witness.breathe();
    expect((await movements(channel)).at(-1)).toEqual([]);
  });

  test("silently, is found within 35 s on every wire, and the living stay", async () => {
    const channel = await newChannel();
    const alive = await identified(bob);
    await enter(alive, channel);
    const dead = new PlainClient(`${server.wsUrl}/?auth=${ann.token}`, { autoPong: false });
    await dead.inbox.take("identified", ({ event }) => event === "identified");
    await enter(dead, channel);
    const deadTrpc = await TrpcSocket.open(`${server.wsUrl}/trpc?auth=${ann.token}`, { autoPong: false });
    deadTrpc.send({ id: 1, method: "subscription", params: { path: "channel.presence", input: { id: channel } } });
    await deadTrpc.inbox.take("the users", ({ result }) => result?.data?.users?.includes(ann.id) ?? false);
    for (let passed = 0; passed < 34_000; passed += 2_000) {
      clock.advance(2_000);
      await Promise.all([witness.breathe(), alive.breathe()]);
    }
    expect(await within(5_000, "the end", dead.closed)).toMatchObject({ code: 1006 });
    expect(await within(5_000, "the end", deadTrpc.closed)).toBe(1006);
    clock.advance(1_000);
    await witness.breathe();
    expect(await usersOf(channel)).toEqual([bob.id]);
    expect((await movements(channel, 500)).at(-1)).toEqual([bob.id]);
    await alive.close();
  });
});

test("a user's channel is theirs alone: another user changes nothing of it, and `users` is ascending", async () => {
  const channel = await newChannel();
  const [b, a] = [await identified(bob), await identified(ann)];
  await enter(b, channel);
  await enter(a, channel);
  expect(await usersOf(channel)).toEqual([ann.id, bob.id]);
  await enter(b, null);
  expect(await usersOf(channel)).toEqual([ann.id]);
  await Promise.all([a.close(), b.close()]);
});
