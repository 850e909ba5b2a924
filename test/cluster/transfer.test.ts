import { execFile } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { createPostgres, createSqlite } from "../support/database.ts";
import { post, request, signUp } from "../support/http.ts";
import { startServer } from "../support/server.ts";

const run = promisify(execFile);
const transferFile = fileURLToPath(new URL("../../src/db/transfer.ts", import.meta.url));

test("everything moves from SQLite to PostgreSQL: tokens, ids, the log, and the cursor a client had", { timeout: 90_000 }, async () => {
  const [sqlite, postgres] = [createSqlite(), await createPostgres()];
  const before = await startServer({ DATABASE_URL: sqlite.url });
  const { token } = await signUp(before, "ann");
  const first = await post(before, token, 1, "first");
  const { cursor } = (await request(before, "GET", "/event")).body;
  const text = "line\nbreak 🙂 {\"a\",'b'} \\ NULL";
  await post(before, token, 2, text);
  const made = await request(before, "POST", "/channel", { token, body: { title: "gone" } });
  await request(before, "DELETE", `/channel/${made.body.id}`, { token });
  const unswept = await request(before, "POST", "/channel", { token, body: { title: "removed, and not swept yet" } });
  const replay = await request(before, "GET", `/event?cursor=${cursor}`);
  const messages = await request(before, "GET", "/message");
  await before.close();
  await sqlite.execute(`insert into removed_channel (channel_id, seq) select ${unswept.body.id}, seq + 1 from counter`);

  await run(process.execPath, [transferFile, "--from", sqlite.url, "--to", postgres.url]);
  await using after = await startServer({ DATABASE_URL: postgres.url });
  expect((await request(after, "GET", "/message")).body).toEqual(messages.body);
  expect((await request(after, "GET", `/channel/${unswept.body.id}`)).status).toBe(404);
  const { events } = replay.body;
  expect(events.at(-1)).toMatchObject({ event: "post channel", data: unswept.body });
  expect((await request(after, "GET", `/event?cursor=${cursor}`)).body).toEqual({ ...replay.body, events: events.slice(0, -1) });
  const next = await post(after, token, 1, "next");
  expect(next.status).toBe(201);
  expect(next.body.id).toBe(messages.body.at(-1).id + 1);
  expect(next.body.user_id).toBe(first.body.user_id);
  const channel = await request(after, "POST", "/channel", { token, body: { title: "new" } });
  expect(channel.body.id).toBeGreaterThan(made.body.id);

  const again = await run(process.execPath, [transferFile, "--from", sqlite.url, "--to", postgres.url]).catch((error) => error);
  expect(again.code).toBe(78);
  expect(again.stderr).toBe("--to names a database that is in use already: nothing was changed.\n");
  await after.close();
  await Promise.all([sqlite.drop(), postgres.drop()]);
});
