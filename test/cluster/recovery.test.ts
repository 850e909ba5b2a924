/** Point-in-time recovery as docs/grow.md says it, under nodes that run on: what they and their clients make of a past that is gone. */
import { join } from "node:path";
import { decodeJwt } from "jose";
import { expect, test } from "vitest";
import { startCluster } from "../support/cluster.ts";
import { runAsOwner } from "../support/database.ts";
import { password, post, request, signUp } from "../support/http.ts";
import { PostgresServer } from "../support/postgres-server.ts";
import { tryToken } from "../support/tokens.ts";
import { until, within } from "../support/wait.ts";
import { openPlain } from "../support/wires.ts";

const timeout = 90_000;

/** Nodes over a PostgreSQL that archives what it writes, with a base backup once it is asked for. */
async function startArchived() {
  await using opened = new AsyncDisposableStack();
  const server = opened.use(await PostgresServer.start());
  const [archive, base] = [server.makeDirectory(), join(server.makeDirectory(), "base")];
  await server.stop("fast");
  Object.assign(server.settings, { archive_mode: "on", archive_command: `test ! -f ${archive}/%f && cp %p ${archive}/%f` });
  await server.start();
  const cluster = opened.use(await startCluster({ serverUrl: server.url }));
  const everything = opened.move();
  return {
    cluster,
    backUp: () => server.run("pg_basebackup", ["-h", "127.0.0.1", "-p", String(server.port), "-U", "postgres", "-D", base, "-c", "fast"]),
    now: async (): Promise<string> => (await runAsOwner("select now()::text as at", server.url)).rows[0].at,
    async goBack(at: string): Promise<void> {
      const { rows: wal } = await runAsOwner("select pg_walfile_name(pg_switch_wal()) as name", server.url);
      const archivedLast = "select last_archived_wal >= $name$NAME$name$ as done from pg_stat_archiver".replace("NAME", wal[0].name);
      await until("the archive", 20_000, async () => (await runAsOwner(archivedLast, server.url)).rows[0].done === true);
      await server.stop("immediate");
      const target = { recovery_target_time: at, recovery_target_action: "promote" };
      Object.assign(server.settings, { archive_mode: "off", restore_command: `cp ${archive}/%f %p`, ...target });
      await server.recover(base);
    },
    [Symbol.asyncDispose]: () => everything.disposeAsync(),
  };
}

test("a database brought back to an earlier time: who saw what is gone reads again, and nobody misses what comes", {
  timeout,
}, async () => {
  await using archived = await startArchived();
  const { cluster } = archived;
  const ann = await signUp(cluster.node(0), "ann");
  archived.backUp();

  const kept = await post(cluster.node(0), ann.token, 1, "kept");
  const at = await archived.now();
  const readers = await Promise.all(cluster.nodes.map((node) => openPlain(node)));
  for (const reader of readers) await reader.settled();
  const gone = await post(cluster.node(0), ann.token, 1, "gone");
  for (const reader of readers) await reader.inbox.take("it", ({ data }) => data?.id === gone.body.id);
  const { cursor } = (await request(cluster.node(0), "GET", "/event")).body;
  await archived.goBack(at);

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

test("the numbers of sessions and channels of the time that is gone are given out anew: they are good on every node, the old tokens on none", {
  timeout,
}, async () => {
  await using archived = await startArchived();
  const { cluster } = archived;
  const node = cluster.node(0);
  const signIn = async (username: string): Promise<string> =>
    (await request(node, "POST", "/auth", { body: { username, password } })).body.token_value;
  const makeChannel = async (token: string): Promise<number> =>
    (await request(node, "POST", "/channel", { token, body: { title: "Room" } })).body.id;
  const ann = await signUp(node, "ann");
  archived.backUp();
  const at = await archived.now();

  // Recovery ends at the first commit after that time; a sequence it has gone on with until then would skip what is lost.
  await post(node, ann.token, 1, "gone");
  const bob = await signUp(node, "bob");
  const ended = await signIn("ann");
  const channel = await makeChannel(ended);
  for (const each of cluster.nodes) expect(await tryToken(each, bob.token)).toEqual({ rest: "bob", socket: "bob" });
  await request(node, "DELETE", `/channel/${channel}`, { token: ended });
  await request(node, "DELETE", "/auth", { token: ended });
  // Which every node has heard of.
  for (const each of cluster.nodes) expect(await tryToken(each, ended)).toEqual({ rest: 401, socket: 401 });
  await archived.goBack(at);

  const carol = { username: "carol", password };
  await until("taking writes again", 10_000, async () => (await request(node, "POST", "/user", { body: carol })).status === 201);
  const [carols, anns] = [await signIn("carol"), await signIn("ann")];
  expect([decodeJwt(carols), decodeJwt(anns)].map(({ sid }) => sid)).toEqual(
    [decodeJwt(bob.token), decodeJwt(ended)].map(({ sid }) => sid),
  );
  expect(decodeJwt(carols).sub).toBe(String(bob.id));
  expect(await makeChannel(anns)).toBe(channel);
  for (const each of cluster.nodes) {
    for (const lost of [bob.token, ended]) expect(await tryToken(each, lost)).toEqual({ rest: 401, socket: 401 });
    expect(await tryToken(each, carols)).toEqual({ rest: "carol", socket: "carol" });
    expect(await tryToken(each, anns)).toEqual({ rest: "ann", socket: "ann" });
    const person = await openPlain(each, { token: anns });
    person.send("change channel", { id: channel });
    await person.inbox.take("her coming in", ({ event, data }) => event === "channel movement" && data.users.join() === String(ann.id));
    await person.close();
    expect((await request(each, "POST", `/channel/${channel}/typing`, { token: anns })).status).toBe(204);
  }
});
