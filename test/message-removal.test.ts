/** Removing a message with any number of edits: gone for everybody with the answer, and swept from the log afterwards. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { busOfThisRun, createDatabase, type TestDatabase } from "./support/database.ts";
import { post, request, signUp } from "./support/http.ts";
import { startProcess } from "./support/process.ts";
import { startServer } from "./support/server.ts";
import { until } from "./support/wait.ts";
import { followingWires } from "./support/wires.ts";

const many = 6_000;
const patienceMs = 60_000;
const timeout = 120_000;

let database: TestDatabase;
beforeEach(async () => {
  database = await createDatabase();
});
afterEach(() => database.drop());

/** A database with a message of many edits, and a cursor of before it. */
async function fill() {
  await using server = await startServer({ DATABASE_URL: database.url });
  const { id: userId, token } = await signUp(server, "ann");
  const { cursor } = (await request(server, "GET", "/event")).body;
  const id: number = (await post(server, token, 1, "secret")).body.id;
  const kept: number = (await post(server, token, 1, "stays")).body.id;
  await server.close();
  const rows = `with recursive r(k) as (select 1 union all select k + 1 from r where k < ${many})`;
  const message = `'{"id":${id},"channel_id":1,"user_id":${userId},"message_text":"secret","time":1,"edited_at":2}'`;
  await database.execute(`
    insert into event (seq, tag, name, channel_id, message_id, payload, at)
      ${rows} select c.seq + k, 'filled', 'put message', 1, ${id}, ${message}, 1 from r, counter c;
    update counter set seq = seq + ${many};`);
  return { token, cursor, id, kept };
}

const leftOf = (id: number) =>
  database.count(`select count(*) as n from event where message_id = ${id} and payload is not null and name <> 'delete message'`);

const sweptFrom = (id: number) =>
  until("the sweep", patienceMs, async () => {
    if ((await leftOf(id)) > 0) return false;
    return (await database.count("select count(*) as n from removed_message")) === 0;
  });

test("with the answer its texts are in no replay, on any wire, and everything else is; then they leave the log", { timeout }, async () => {
  const { token, cursor, id, kept } = await fill();
  await using server = await startServer({ DATABASE_URL: database.url });
  expect((await request(server, "DELETE", `/message/${id}`, { token })).status).toBe(204);
  const [polled, ...followed] = await Promise.all([
    request(server, "GET", `/event?cursor=${cursor}&limit=200`),
    ...followingWires.map(async ([name, open]) => {
      const reader = await open(server, { cursor });
      await reader.inbox.take(`the removal over ${name}`, ({ event }) => event === "delete message", patienceMs);
      reader.cut();
      return reader.inbox.items.filter(({ event }) => event !== "ready");
    }),
  ]);
  for (const events of [polled.body.events, ...followed])
    expect(events).toEqual([
      expect.objectContaining({ event: "post message", data: expect.objectContaining({ id: kept }) }),
      expect.objectContaining({ event: "delete message", data: { id, channel_id: 1 } }),
    ]);
  await sweptFrom(id);
  expect((await request(server, "GET", `/event?cursor=${cursor}&limit=200`)).body.events).toEqual(polled.body.events);
});

test("a server that is killed right after the answer shows none of it when it is back, and goes on with it", { timeout }, async () => {
  const { token, cursor, id } = await fill();
  await using killed = startProcess({ DATABASE_URL: database.url, ...busOfThisRun });
  const place = await killed.ready();
  const answer = await fetch(`${place.restUrl}/message/${id}`, { method: "DELETE", headers: { authorization: `Bearer ${token}` } });
  await killed.end("SIGKILL");
  expect(answer.status).toBe(204);
  expect(await leftOf(id)).toBeGreaterThan(0);
  await using server = await startServer({ DATABASE_URL: database.url });
  expect(JSON.stringify((await request(server, "GET", `/event?cursor=${cursor}&limit=200`)).body)).not.toContain("secret");
  await sweptFrom(id);
});

test("one with few edits is out of the log with the answer", { timeout }, async () => {
  await using server = await startServer({ DATABASE_URL: database.url });
  const { token } = await signUp(server, "ann");
  const { id } = (await post(server, token, 1, "secret")).body;
  await request(server, "PUT", `/message/${id}`, { token, body: { message_text: "another" } });
  expect((await request(server, "DELETE", `/message/${id}`, { token })).status).toBe(204);
  expect(await leftOf(id)).toBe(0);
  expect(await database.count("select count(*) as n from removed_message")).toBe(0);
});
