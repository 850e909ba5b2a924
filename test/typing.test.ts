import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { TestClock } from "./support/clock.ts";
import { post, request, signUp } from "./support/http.ts";
import { startServer, type TestServer } from "./support/server.ts";
import { connectTrpc, followingWires, openPlain, type PlainClient } from "./support/wires.ts";

let clock: TestClock;
let server: TestServer;
let ann: { id: number; token: string };
let bob: { id: number; token: string };
let witness: PlainClient;
beforeAll(async () => {
  clock = new TestClock();
  server = await startServer({}, { clock });
  ann = await signUp(server, "ann");
  bob = await signUp(server, "bob");
  witness = await openPlain(server);
});
afterAll(() => server.close());

async function newChannel(): Promise<number> {
  return (await request(server, "POST", "/channel", { token: ann.token, body: { title: "Room" } })).body.id;
}

async function identified(user: { token: string }): Promise<PlainClient> {
  const client = await openPlain(server, { token: user.token });
  await client.inbox.take("identified", ({ event }) => event === "identified");
  return client;
}

/** What the witness has heard of typing in a channel; a change that comes right after another one waits for 250 ms. */
async function heard(channelId: number): Promise<string[]> {
  clock.advance(250);
  await witness.settled();
  return witness.inbox.items
    .filter(({ event, data }) => event.endsWith("typing") && data.channel_id === channelId)
    .map(({ event, data }) => `${event} ${data.user_id}`);
}

const typingPath = (channelId: number) => `/channel/${channelId}/typing`;

test.each(followingWires)("who starts and stops typing is told over %s, without an id, and only in that channel", async (_name, open) => {
  const [channel, other] = [await newChannel(), await newChannel()];
  const [reader, elsewhere] = [await open(server), await open(server, { channels: [other] })];
  const [late] = [await openPlain(server)];
  await late.settled();
  // A marker, so that both are sure to be following.
  await post(server, ann.token, other, "marker");
  await Promise.all([reader, elsewhere].map(({ inbox }) => inbox.take("marker", ({ data }) => data.message_text === "marker")));
  const client = await identified(ann);
  client.send("start typing", { channel_id: channel });
  await reader.inbox.take("the start", ({ event, data }) => event === "start typing" && data.channel_id === channel);
  client.send("stop typing", { channel_id: channel });
  await client.settled();
  clock.advance(250);
  const about = { user_id: ann.id, channel_id: channel };
  await reader.inbox.take("the stop", ({ event, data }) => event === "stop typing" && data.channel_id === channel);
  expect(reader.inbox.items.filter(({ data }) => data.channel_id === channel)).toEqual([
    { event: "start typing", data: about },
    { event: "stop typing", data: about },
  ]);
  await post(server, ann.token, other, "second marker");
  await elsewhere.inbox.take("marker", ({ data }) => data.message_text === "second marker");
  expect(elsewhere.inbox.items.filter(({ event }) => event.endsWith("typing"))).toEqual([]);
  reader.cut();
  elsewhere.cut();
  await Promise.all([client.close(), late.close()]);
});

test("repeats are coalesced, and the server stops it after 6 s of silence", async () => {
  const channel = await newChannel();
  const client = await identified(ann);
  for (let passed = 0; passed < 20_000; passed += 4_000) {
    client.send("start typing", { channel_id: channel });
    await client.settled();
    clock.advance(4_000);
    await Promise.all([client.breathe(), witness.breathe()]);
  }
  expect(await heard(channel)).toEqual([`start typing ${ann.id}`]);
  clock.advance(2_500);
  expect(await heard(channel)).toEqual([`start typing ${ann.id}`, `stop typing ${ann.id}`]);
  await client.close();
});

test("over REST and over tRPC it is the same", async () => {
  const channel = await newChannel();
  const trpc = connectTrpc(`${server.wsUrl}/trpc`, { token: bob.token });
  expect((await request(server, "POST", typingPath(channel), { token: ann.token })).status).toBe(204);
  await trpc.api.channel.startTyping.mutate({ id: channel });
  expect((await request(server, "POST", typingPath(channel), { token: ann.token })).status).toBe(204);
  expect((await request(server, "DELETE", typingPath(channel), { token: ann.token })).status).toBe(204);
  expect((await request(server, "DELETE", typingPath(channel), { token: ann.token })).status).toBe(204);
  await trpc.api.channel.stopTyping.mutate({ id: channel });
  expect(await heard(channel)).toEqual([
    `start typing ${ann.id}`,
    `start typing ${bob.id}`,
    `stop typing ${ann.id}`,
    `stop typing ${bob.id}`,
  ]);
  expect((await request(server, "POST", typingPath(channel))).status).toBe(401);
  expect((await request(server, "POST", typingPath(9_999), { token: ann.token })).status).toBe(404);
  await expect(trpc.api.channel.startTyping.mutate({ id: 9_999 })).rejects.toMatchObject({ data: { code: "NOT_FOUND" } });
  await trpc.close();
});

test("that user's message stops it in its channel, and nobody else's does", async () => {
  const [channel, other] = [await newChannel(), await newChannel()];
  for (const id of [channel, other]) await request(server, "POST", typingPath(id), { token: ann.token });
  await post(server, bob.token, channel, "from somebody else");
  expect(await heard(channel)).toEqual([`start typing ${ann.id}`]);
  await post(server, ann.token, channel, "done");
  expect(await heard(channel)).toEqual([`start typing ${ann.id}`, `stop typing ${ann.id}`]);
  expect(await heard(other)).toEqual([`start typing ${ann.id}`]);
  await request(server, "DELETE", typingPath(other), { token: ann.token });
});

test("leaving a channel stops it there, and leaves it elsewhere", async () => {
  const [channel, other] = [await newChannel(), await newChannel()];
  const client = await identified(ann);
  client.send("change channel", { id: channel });
  client.send("start typing", { channel_id: channel });
  client.send("start typing", { channel_id: other });
  client.send("change channel", { id: null });
  await client.settled();
  expect(await heard(channel)).toEqual([`start typing ${ann.id}`, `stop typing ${ann.id}`]);
  expect(await heard(other)).toEqual([`start typing ${ann.id}`]);
  client.send("unidentify");
  await client.settled();
  expect(await heard(other)).toEqual([`start typing ${ann.id}`, `stop typing ${ann.id}`]);
  await client.close();
});

test("leaving by the end of channel.presence stops it too", async () => {
  const channel = await newChannel();
  const trpc = connectTrpc(`${server.wsUrl}/trpc`, { token: ann.token });
  await new Promise<void>((resolve) => {
    const subscription = trpc.api.channel.presence.subscribe(
      { id: channel },
      {
        onData: async () => {
          await trpc.api.channel.startTyping.mutate({ id: channel });
          clock.advance(250);
          subscription.unsubscribe();
          resolve();
        },
      },
    );
  });
  await witness.inbox.take("the stop", ({ event, data }) => event === "stop typing" && data.channel_id === channel);
  await trpc.close();
});

test.each(["plain", "tRPC"])("a connection that ends stops it (%s)", async (wire) => {
  const channel = await newChannel();
  if (wire === "plain") {
    const client = await identified(ann);
    client.send("start typing", { channel_id: channel });
    await client.settled();
    clock.advance(250);
    client.cut();
  } else {
    const trpc = connectTrpc(`${server.wsUrl}/trpc`, { token: ann.token });
    await trpc.api.channel.startTyping.mutate({ id: channel });
    clock.advance(250);
    await trpc.close();
  }
  await witness.inbox.take("the stop", ({ event, data }) => event === "stop typing" && data.channel_id === channel);
  expect(await heard(channel)).toEqual([`start typing ${ann.id}`, `stop typing ${ann.id}`]);
});

test("a channel that is removed is spoken of no more", async () => {
  const channel = await newChannel();
  await request(server, "POST", typingPath(channel), { token: ann.token });
  await request(server, "DELETE", `/channel/${channel}`, { token: ann.token });
  clock.advance(7_000);
  await witness.settled();
  expect(witness.inbox.items.filter(({ data }) => data?.channel_id === channel || data?.id === channel).at(-1)).toMatchObject({
    event: "delete channel",
  });
});

describe("a user who changes more often than anybody can read", () => {
  test.each(["a socket", "REST"])("is announced once within 250 ms over %s, at last as it is, and others are at once", async (wire) => {
    const channel = await newChannel();
    const client = await identified(ann);
    const toggle = async (starts: boolean) => {
      if (wire === "a socket") {
        client.send(starts ? "start typing" : "stop typing", { channel_id: channel });
        await client.settled();
      } else await request(server, starts ? "POST" : "DELETE", typingPath(channel), { token: ann.token });
    };
    for (let turn = 0; turn < 101; turn += 1) {
      await toggle(turn % 2 === 0);
      clock.advance(10);
    }
    await request(server, "POST", typingPath(channel), { token: bob.token });
    await witness.settled();
    const changes = witness.inbox.items.filter(({ event, data }) => event.endsWith("typing") && data.channel_id === channel);
    expect(changes.at(-1)).toEqual({ event: "start typing", data: { user_id: bob.id, channel_id: channel } });
    expect(changes.length).toBeGreaterThan(2);
    expect(changes.length).toBeLessThanOrEqual(6);
    const ofAnn = async () => (await heard(channel)).filter((change) => change.endsWith(` ${ann.id}`)).at(-1);
    expect(await ofAnn()).toBe(`start typing ${ann.id}`);
    await toggle(false);
    expect(await ofAnn()).toBe(`stop typing ${ann.id}`);
    await request(server, "DELETE", typingPath(channel), { token: bob.token });
    await client.close();
  });

  test("in many channels is announced in a few of them, the last one first, and stays nowhere", async () => {
    const channels: number[] = [];
    while (channels.length < 60) channels.push(await newChannel());
    const client = await identified(await signUp(server, "gina"));
    for (const id of channels) client.send("start typing", { channel_id: id });
    await client.settled();
    const announced = async (event: string) => {
      await witness.settled();
      return witness.inbox.items
        .filter((item) => item.event === event && channels.includes(item.data.channel_id))
        .map(({ data }) => data.channel_id);
    };
    expect(await announced("start typing")).toEqual(channels.slice(0, 10));
    clock.advance(250);
    expect((await announced("start typing")).slice(10)).toEqual([channels.at(-1)]);
    clock.advance(1_000);
    await request(server, "POST", typingPath(channels[0] ?? 0), { token: bob.token });
    const started = (await announced("start typing")).length;
    expect(started).toBeLessThanOrEqual(16);
    clock.advance(6_500);
    const [starts, stops] = [await announced("start typing"), await announced("stop typing")];
    expect(stops.toSorted()).toEqual(starts.toSorted());
    expect(starts.length).toBeLessThan(40);
    await client.close();
  });
});

test("changes in front of many readers reach each of them together, with the last value of each", async () => {
  await using own = await startServer({}, { clock });
  const people = [await signUp(own, "carl"), await signUp(own, "dora"), await signUp(own, "emil"), await signUp(own, "finn")];
  const readers = await Promise.all(Array.from({ length: 400 }, () => openPlain(own)));
  const [first, ...others] = readers;
  if (!first) throw new Error("No reader.");
  const changes = ({ inbox }: PlainClient) =>
    inbox.items.filter(({ event }) => event.endsWith("typing")).map(({ event, data }) => `${event} ${data.user_id}`);
  for (const { token } of people) await request(own, "POST", typingPath(1), { token });
  await first.settled();
  // Two changes are 800 writes; another 400 would be more than are made at once.
  expect(changes(first)).toEqual(people.slice(0, 2).map(({ id }) => `start typing ${id}`));
  await post(own, people[2]?.token ?? "", 1, "marker");
  clock.advance(250);
  await Promise.all(readers.map((reader) => reader.inbox.count("typing", 4, ({ event }) => event.endsWith("typing"))));
  const expected = [
    ...people.slice(0, 2).map(({ id }) => `start typing ${id}`),
    `start typing ${people[3]?.id}`,
    `stop typing ${people[2]?.id}`,
  ];
  for (const reader of [first, ...others]) expect(changes(reader)).toEqual(expected);
});
