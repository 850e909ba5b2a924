/** Point-in-time recovery as docs/grow.md says it, under nodes that run on: what they and their clients make of a past that is gone. */
import { join } from "node:path";
import { expect, test } from "vitest";
import { startCluster } from "../support/cluster.ts";
import { runAsOwner } from "../support/database.ts";
import { post, request, signUp } from "../support/http.ts";
import { PostgresServer } from "../support/postgres-server.ts";
import { until, within } from "../support/wait.ts";
import { openPlain } from "../support/wires.ts";

test("a database brought back to an earlier time: who saw what is gone reads again, and nobody misses what comes", {
  timeout: 90_000,
}, async () => {
  await using server = await PostgresServer.start();
  const [archive, base] = [server.makeDirectory(), join(server.makeDirectory(), "base")];
  await server.stop("fast");
  Object.assign(server.settings, { archive_mode: "on", archive_command: `test ! -f ${archive}/%f && cp %p ${archive}/%f` });
  await server.start();
  await using cluster = await startCluster({ serverUrl: server.url });
  const ann = await signUp(cluster.node(0), "ann");
  server.run("pg_basebackup", ["-h", "127.0.0.1", "-p", String(server.port), "-U", "postgres", "-D", base, "-c", "fast"]);

  const kept = await post(cluster.node(0), ann.token, 1, "kept");
  const { rows } = await runAsOwner("select now()::text as at", server.url);
  const readers = await Promise.all(cluster.nodes.map((node) => openPlain(node)));
  for (const reader of readers) await reader.settled();
  const gone = await post(cluster.node(0), ann.token, 1, "gone");
  for (const reader of readers) await reader.inbox.take("it", ({ data }) => data?.id === gone.body.id);
  const { cursor } = (await request(cluster.node(0), "GET", "/event")).body;
  const { rows: wal } = await runAsOwner("select pg_walfile_name(pg_switch_wal()) as name", server.url);
  const archivedLast = "select last_archived_wal >= $name$NAME$name$ as done from pg_stat_archiver".replace("NAME", wal[0].name);
  await until("the archive", 20_000, async () => (await runAsOwner(archivedLast, server.url)).rows[0].done === true);
  await server.stop("immediate");

  const target = { recovery_target_time: rows[0].at, recovery_target_action: "promote" };
  Object.assign(server.settings, { archive_mode: "off", restore_command: `cp ${archive}/%f %p`, ...target });
  await server.recover(base);

  // The first of all writes is by the node that had written what is gone, at the same position; it asks nobody who she is.
  const node = cluster.node(0);
  const again = { username: "bob", password: "correct horse" };
  await until("taking writes again", 10_000, async () => (await request(node, "POST", "/user", { body: again })).status === 201);
  for (const reader of readers) expect((await within(10_000, "being sent away", reader.closed)).code).toBe(1001);
  for (const each of cluster.nodes) {
    const returned = await openPlain(each, { cursor });
    const { data } = await returned.inbox.take("resync", ({ event }) => event === "resync");
    expect(data.reason).toBe("unknown");
    returned.cut();
    const { body: page } = await request(each, "GET", "/message?channel_id=1");
    expect(page.map(({ id }: { id: number }) => id)).toEqual([kept.body.id]);
    expect((await request(each, "GET", "/user?username=bob")).body).toHaveLength(1);
  }
  const reader = await openPlain(cluster.node(1));
  await reader.settled();
  const next = await post(node, ann.token, 1, "next");
  await reader.inbox.take("what comes now", ({ data }) => data?.id === next.body.id);
  reader.cut();
});
