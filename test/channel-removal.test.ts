/** Removing a channel of any size: gone for everybody with the answer, and swept from the tables afterwards. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { TestClock } from "./support/clock.ts";
import { busOfThisRun, createDatabase, type TestDatabase } from "./support/database.ts";
import { type Answer, post, request, signUp } from "./support/http.ts";
import { startProcess } from "./support/process.ts";
import { startServer } from "./support/server.ts";
import { until, within } from "./support/wait.ts";
import { connectTrpc, followingWires, openPlain } from "./support/wires.ts";

const many = 6_000;
const patienceMs = 60_000;
const timeout = 120_000;

let database: TestDatabase;
beforeEach(async () => {
  database = await createDatabase();
});
afterEach(() => database.drop());

/** A database with a channel of many messages, a server's work but for these; and what somebody knows who was there before them. */
async function fill() {
  await using server = await startServer({ DATABASE_URL: database.url });
  const { id: userId, token } = await signUp(server, "ann");
  const channel: number = (await request(server, "POST", "/channel", { token, body: { title: "to go" } })).body.id;
  const { cursor } = (await request(server, "GET", "/event")).body;
  const kept: number = (await post(server, token, 1, "stays")).body.id;
  const repeat = { channel_id: channel, message_text: "gone with it", client_message_id: "once" };
  const gone: number = (await request(server, "POST", "/message", { token, body: repeat })).body.id;
  await server.close();
  const rows = `with recursive r(k) as (select 1 union all select k + 1 from r where k < ${many})`;
  const message = `'{"id":' || (c.message_id + k) || ',"channel_id":${channel},"user_id":${userId},"message_text":"gone with it","time":1}'`;
  await database.execute(`
    insert into message (id, channel_id, user_id, message_text, time)
      ${rows} select c.message_id + k, ${channel}, ${userId}, 'gone with it', 1 from r, counter c;
    insert into event (seq, tag, name, channel_id, message_id, payload, at)
      ${rows} select c.seq + k, 'filled', 'post message', ${channel}, c.message_id + k, ${message}, 1 from r, counter c;
    update counter set seq = seq + ${many}, message_id = message_id + ${many};`);
  return { token, channel, cursor, kept, repeat, gone, last: gone + many };
}

const messagesOf = (channel: number) => database.count(`select count(*) as n from message where channel_id = ${channel}`);

/** Everything the tables hold of a channel beside its `delete channel`. */
async function leftOf(channel: number): Promise<number> {
  const told = `from event where channel_id = ${channel} and payload is not null and name <> 'delete channel'`;
  const counts = [`from channel where id = ${channel}`, `from removed_channel where channel_id = ${channel}`, told];
  const numbers = counts.map((from) => database.count(`select count(*) as n ${from}`));
  return (await Promise.all([messagesOf(channel), ...numbers])).reduce((sum, number) => sum + number);
}

const sweptFrom = (channel: number) => until("the sweep", patienceMs, async () => (await leftOf(channel)) === 0);

const ids = ({ body }: Answer): number[] => body.map(({ id }: { id: number }) => id);

test("with the answer nothing of it is seen any more, on any wire, and of everything else nothing is missing", { timeout }, async () => {
  const { token, channel, cursor, kept, repeat, gone, last } = await fill();
  await using server = await startServer({ DATABASE_URL: database.url });
  const plain = await openPlain(server, { token });
  await plain.settled();
  const trpc = connectTrpc(server.wsUrl, { token });
  expect(await trpc.api.channel.get.query({ id: channel })).toMatchObject({ title: "to go" });
  const ask = (method: string, path: string, body?: unknown) => request(server, method, path, { token, body });

  expect((await ask("DELETE", `/channel/${channel}`)).status).toBe(204);
  plain.send("change channel", { id: channel });
  const text = { message_text: "changed" };
  // All at once: the sweep has just begun.
  const [missing, repeated, listed, newest, first, ofUser, channels, polled, overTrpc, followed] = await Promise.all([
    Promise.all([
      ask("GET", `/channel/${channel}`),
      ask("GET", `/channel/${channel}/users`),
      ask("PUT", `/channel/${channel}`, { title: "changed" }),
      ask("DELETE", `/channel/${channel}`),
      ask("POST", `/channel/${channel}/typing`),
      ask("POST", "/message", { channel_id: channel, ...text }),
      ...[gone, last].flatMap((id) => [ask("GET", `/message/${id}`), ask("PUT", `/message/${id}`, text), ask("DELETE", `/message/${id}`)]),
    ]),
    ask("POST", "/message", repeat),
    ask("GET", `/message?channel_id=${channel}`),
    ask("GET", "/message"),
    ask("GET", "/message?after=0"),
    ask("GET", `/message?user_id=1&before=${gone + 1}`),
    ask("GET", "/channel"),
    ask("GET", `/event?cursor=${cursor}&limit=200`),
    trpc.api.message.list.query({ channel_id: channel }),
    Promise.all(
      followingWires.map(async ([name, open]) => {
        const reader = await open(server, { cursor });
        await reader.inbox.take(`the removal over ${name}`, ({ event }) => event === "delete channel", patienceMs);
        reader.cut();
        return reader.inbox.items.filter(({ event }) => event !== "ready");
      }),
    ),
  ]);
  expect(missing.map(({ status }) => status)).toEqual(missing.map(() => 404));
  expect(repeated).toMatchObject({ status: 409, body: { error: "The message of this client_message_id was deleted." } });
  expect(listed.body).toEqual([]);
  expect(overTrpc).toEqual([]);
  for (const page of [newest, first, ofUser]) expect([ids(page), page.headers.get("link")]).toEqual([[kept], null]);
  expect(ids(channels)).toEqual([1, 2]);
  for (const events of [polled.body.events, ...followed])
    expect(events).toEqual([
      expect.objectContaining({ event: "post message", data: expect.objectContaining({ id: kept }) }),
      expect.objectContaining({ event: "delete channel", data: { id: channel } }),
    ]);
  await plain.inbox.take("the refusal to enter", ({ event, data }) => event === "error" && data.code === "NOT_FOUND");
  plain.cut();
  await trpc.close();

  await sweptFrom(channel);
  expect(ids(await ask("GET", "/message"))).toEqual([kept]);
  expect((await ask("GET", `/event?cursor=${cursor}&limit=200`)).body.events).toEqual(polled.body.events);
  expect((await ask("POST", "/channel", { title: "next" })).body.id).toBeGreaterThan(channel);
});

test("others post while it is swept, a little at a time", { timeout }, async () => {
  const { token, channel } = await fill();
  await using server = await startServer({ DATABASE_URL: database.url });
  expect((await request(server, "DELETE", `/channel/${channel}`, { token })).status).toBe(204);
  const left: number[] = [];
  const posted: number[] = [];
  await until("the sweep", patienceMs, async () => {
    const answer = await post(server, token, 1, "meanwhile");
    expect(answer.status).toBe(201);
    posted.push(answer.body.id);
    left.push(await messagesOf(channel));
    return left.at(-1) === 0;
  });
  expect(left.some((number) => number > 0 && number < many)).toBe(true);
  await sweptFrom(channel);
  const page = await request(server, "GET", `/message?after=${(posted[0] ?? 0) - 1}&limit=200`);
  expect(ids(page)).toEqual(posted.slice(0, 200));
});

test("a server that is killed right after the answer goes on with it when it is back", { timeout }, async () => {
  const { token, channel, kept } = await fill();
  await using killed = startProcess({ DATABASE_URL: database.url, ...busOfThisRun });
  const place = await killed.ready();
  // Not held against the document: by the time it is, the sweep may be over.
  const answer = await fetch(`${place.restUrl}/channel/${channel}`, { method: "DELETE", headers: { authorization: `Bearer ${token}` } });
  await killed.end("SIGKILL");
  expect(answer.status).toBe(204);
  expect(await leftOf(channel)).toBeGreaterThan(0);
  await using server = await startServer({ DATABASE_URL: database.url });
  expect((await request(server, "GET", `/channel/${channel}`)).status).toBe(404);
  await sweptFrom(channel);
  expect(ids(await request(server, "GET", "/message"))).toEqual([kept]);
});

test("a server that is stopped right after the answer stops at once, says nothing of it, and goes on at its next start", {
  timeout,
}, async () => {
  const { token, channel, kept } = await fill();
  const stopped = await startServer({ DATABASE_URL: database.url });
  expect((await request(stopped, "DELETE", `/channel/${channel}`, { token })).status).toBe(204);
  await within(5_000, "the stop", stopped.close());
  const error = 50;
  expect(stopped.logged.filter((line) => JSON.parse(line).level >= error)).toEqual([]);
  expect(await leftOf(channel)).toBeGreaterThan(0);
  await using server = await startServer({ DATABASE_URL: database.url });
  await sweptFrom(channel);
  expect(ids(await request(server, "GET", "/message"))).toEqual([kept]);
});

test("what a node left that is gone is swept by any other within a minute, and what came into it after its removal too", async () => {
  const clock = new TestClock();
  await using server = await startServer({ DATABASE_URL: database.url }, { clock });
  const { token } = await signUp(server, "ann");
  await post(server, token, 1, "stays");
  await post(server, token, 2, "gone with it");
  await database.execute("insert into removed_channel (channel_id, seq) values (2, 1)");
  expect(await leftOf(2)).toBe(4);
  clock.advance(60_000);
  await sweptFrom(2);
  expect(await leftOf(1)).toBe(3);
});
