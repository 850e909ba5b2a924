/** What the server needs of writing, asked of the writer over every kind of database with the same sentences. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { z } from "zod";
import { systemClock } from "../../src/core/clock.ts";
import { AppError } from "../../src/core/errors.ts";
import { toCursor } from "../../src/core/events/cursor.ts";
import { loggedEvent } from "../../src/core/events/event.ts";
import { EventLog, type LogEvent } from "../../src/core/events/log.ts";
import type { Batch, Transaction } from "../../src/core/transaction.ts";
import type { Database } from "../../src/db/database.ts";
import { SettingEntity } from "../../src/db/log.entity.ts";
import { readSecret } from "../../src/db/secret.ts";
import { Writer } from "../../src/db/writer.ts";
import { SessionEntity } from "../../src/features/auth/session.entity.ts";
import { UserEntity } from "../../src/features/user/user.entity.ts";
import { TestClock } from "../support/clock.ts";
import { databaseKinds, type TestDatabase } from "../support/database.ts";
import { until, within } from "../support/wait.ts";

const noted = loggedEvent("noted", z.object({ text: z.string() }), "Something was noted.");

/** Notes each text once, under an id of messages; refuses what asks for it in one of two ways. */
const notes: Batch<string, ReadonlyMap<string, number>, number> = {
  sizeOf: (text) => text.length,

  async read(reads, texts) {
    const keys = texts.map((text) => [text]);
    const rows = await reads.findMany<{ name: string; value: string }>("setting", "name, value", ["value"], keys);
    return new Map(rows.map(({ name, value }) => [value, Number(name)]));
  },

  write(writes, texts, known) {
    if (texts.includes("throw")) throw new Error("one job's mistake");
    const rows: { name: string; value: string }[] = [];
    const results = texts.map((text) => {
      if (text === "refuse") return new AppError("CONFLICT");
      const before = known.get(text);
      if (before !== undefined) return before;
      const id = writes.nextMessageId();
      writes.append(noted, { text }, { channel_id: 1, message_id: id });
      rows.push({ name: String(id), value: text });
      return id;
    });
    writes.insertMany("setting", rows);
    return results;
  },
};

/** Takes an id for each job, and does nothing with it. */
const ids: Batch<null, null, number> = {
  sizeOf: () => 0,
  read: async () => null,
  write: (writes, jobs) => jobs.map(() => writes.nextMessageId()),
};

interface Node {
  readonly database: Database;
  readonly log: EventLog;
  readonly writer: Writer;
  /** What this node's log has told its readers. */
  readonly told: LogEvent[];
  readonly errors: unknown[];
}

async function startNode(database: Database, tag: string): Promise<Node> {
  const told: LogEvent[] = [];
  const errors: unknown[] = [];
  const fail = (what: unknown) => void errors.push(what);
  const log = await EventLog.open(database.read, { shared: database.shared, onError: fail });
  log.onNewHistory(() => fail("a new history"));
  log.subscribe((events) => told.push(...events));
  return { database, log, writer: new Writer(database, log, systemClock, tag), told, errors };
}

const upTo = (count: number) => Array.from({ length: count }, (_, index) => index + 1);
const seqs = (events: readonly { seq: number }[]) => events.map(({ seq }) => seq);

describe.each(databaseKinds())("the writer over $kind", ({ create, open }) => {
  let place: TestDatabase;
  let node: Node;
  beforeEach(async () => {
    place = await create();
    node = await startNode(await open(place.url), "one");
  });
  afterEach(async () => {
    await node.database.close();
    expect(node.errors).toEqual([]);
    await place.drop();
  });

  const note = (text: string, { writer }: { writer: Writer } = node) => writer.writeBatch(notes, text, null);
  const events = () =>
    node.database.read.all<{ seq: number; message_id: number | null; payload: string | null }>(
      `select seq, message_id, payload from event where seq > 0 order by seq`,
      [],
    );
  const names = async () => (await node.database.read.all<{ value: string }>("select value from setting", [])).map(({ value }) => value);

  test("answers when it is committed: whoever reads then finds the row, the event and the head", async () => {
    const heads: number[] = [];
    node.writer.onCommit((events) => heads.push(...events.map(({ seq }) => seq)));
    expect(await note("a")).toBe(1);
    expect(await names()).toEqual(["a"]);
    expect(await events()).toEqual([{ seq: 1, message_id: 1, payload: '{"text":"a"}' }]);
    expect(node.log.head.seq).toBe(1);
    expect(node.told).toMatchObject([{ seq: 1, name: "noted", channel_id: 1, message_id: 1, payload: '{"text":"a"}' }]);
    await node.writer.maintain((connection) => connection.run("delete from setting", []));
    expect(await names()).toEqual([]);
    expect(heads).toEqual([1]);
  });

  test("refuses one job of a batch, or meets its mistake, and its neighbours get through", async () => {
    const jobs = ["a", "refuse", "b", "throw", "c", "refuse", "d"];
    const outcomes = await Promise.allSettled(jobs.map((text) => note(text)));
    expect(outcomes.map((outcome) => (outcome.status === "fulfilled" ? outcome.value : outcome.reason))).toEqual([
      1,
      expect.objectContaining({ code: "CONFLICT" }),
      2,
      expect.objectContaining({ message: "one job's mistake" }),
      3,
      expect.objectContaining({ code: "CONFLICT" }),
      4,
    ]);
    expect((await names()).sort()).toEqual(["a", "b", "c", "d"]);
    expect(node.told.map(({ payload }) => payload)).toEqual(["a", "b", "c", "d"].map((text) => JSON.stringify({ text })));
  });

  test("gives ids and positions in the order of commits, without holes, whatever fails in between", async () => {
    const outcomes = await Promise.allSettled(
      upTo(300).map((turn) => {
        if (turn % 10 === 0)
          return node.writer.write(async (transaction) => {
            transaction.append(noted, { text: "never" });
            await transaction.insert(SettingEntity, { name: `change ${turn}`, value: "never" });
            throw new Error("a change that fails");
          });
        if (turn % 10 === 5)
          return node.writer.write(async (transaction) => {
            for (const text of ["one", "two"]) transaction.append(noted, { text });
          });
        return note(turn % 10 === 7 ? "throw" : String(turn));
      }),
    );
    expect(outcomes.filter(({ status }) => status === "rejected")).toHaveLength(60);
    const rows = await events();
    expect(seqs(rows)).toEqual(upTo(210 + 60));
    expect(rows.flatMap(({ message_id }) => message_id ?? [])).toEqual(upTo(210));
    expect(seqs(node.told)).toEqual(seqs(rows));
    expect(await names()).not.toContain("never");
  });

  test("takes the data out of earlier events about a thing, in the table and in memory, and out of no others", async () => {
    for (const text of ["a", "b", "c"]) await note(text);
    await node.writer.write(async (transaction) => {
      transaction.blank({ message_id: 2 });
      transaction.append(noted, { text: "after" }, { channel_id: 1, message_id: 2 });
    });
    const texts = async () => (await events()).map(({ payload }) => JSON.parse(payload ?? "null")?.text ?? null);
    expect((await texts()).filter((text) => text !== null)).toEqual(["a", "c", "after"]);
    expect(node.log.recent(0, 10)?.map(({ payload }) => payload !== null)).toEqual([true, false, true, false, true]);
    await node.writer.write(async (transaction) => transaction.blank({ channel_id: 1 }));
    expect(seqs(await events())).toEqual(upTo(6));
    expect(node.log.recent(0, 10)?.map(({ payload }) => payload)).toEqual(upTo(6).map(() => null));
  });

  test("makes an installation's secret once, and gives it back for good", async () => {
    const secret = await readSecret(node.database.read, node.writer);
    expect(secret.length).toBeGreaterThanOrEqual(32);
    expect(await readSecret(node.database.read, node.writer)).toBe(secret);
  });

  test("takes no more than it can hold, refuses the rest at once, and writes all that it took", async () => {
    let open_ = () => {};
    const gate = new Promise<void>((resolve) => {
      open_ = resolve;
    });
    const first = node.writer.write(() => gate);
    await new Promise((resolve) => setImmediate(resolve));
    const taken = upTo(10_000).map(() => node.writer.writeBatch(ids, null, null));
    await expect(note("too many")).rejects.toMatchObject({ code: "SERVICE_UNAVAILABLE" });
    expect(node.writer.waiting).toBe(10_000);
    open_();
    expect(await Promise.all(taken)).toEqual(upTo(10_000));
    await first;
    await node.writer.drain();
    expect(node.writer.waiting).toBe(0);
    expect(await note("and goes on")).toBe(10_001);
  });

  describe("on a clock that moves", () => {
    const clock = new TestClock();
    let writer: Writer;
    beforeEach(() => {
      writer = new Writer(node.database, node.log, clock, "two");
    });
    const change = (text: string) => writer.write(async (transaction) => transaction.append(noted, { text }));
    const refusal = { status: "rejected", reason: { code: "SERVICE_UNAVAILABLE", retryAfterSeconds: 1 } };

    /** A change that is under way until it is told to end. */
    async function hold(): Promise<{ held: Promise<void>; end: () => void }> {
      const begun = Promise.withResolvers<void>();
      const ended = Promise.withResolvers<void>();
      const held = writer.write(() => {
        begun.resolve();
        return ended.promise;
      });
      await begun.promise;
      return { held, end: ended.resolve };
    }

    test("refuses whoever has waited for more than five seconds, alone or in a batch, and nobody else", async () => {
      const { held, end } = await hold();
      const refused = Promise.allSettled([change("1"), note("2", { writer })]);
      clock.advance(1);
      const kept = [note("3", { writer }), change("4")];
      clock.advance(5_000);
      kept.push(change("5"), note("6", { writer }));
      end();
      await held;
      expect(await refused).toMatchObject([refusal, refusal]);
      await Promise.all(kept);
      expect(writer.waiting).toBe(0);
      expect((await events()).map(({ payload }) => JSON.parse(payload ?? "").text).sort()).toEqual(["3", "4", "5", "6"]);
    });

    test("refuses whoever of a batch that failed waits too long while its neighbours are tried one by one", async () => {
      writer.onCommit(() => clock.advance(3_000));
      const outcomes = await Promise.allSettled(["throw", "a", "b", "c"].map((text) => note(text, { writer })));
      expect(outcomes).toMatchObject([{ reason: { message: "one job's mistake" } }, { value: 1 }, { value: 2 }, refusal]);
    });

    test("answers those behind whom it refuses all others", async () => {
      const { held, end } = await hold();
      const refused = Promise.allSettled([change("1")]);
      clock.advance(5_001);
      end();
      await within(5_000, "the answer", held);
      expect(await refused).toMatchObject([refusal]);
      await within(5_000, "the drain", writer.drain());
    });
  });

  test("gives a transaction no more bytes than the database takes in its time", async () => {
    const commits: number[] = [];
    node.writer.onCommit((events) => commits.push(events.at(-1)?.seq ?? 0));
    const quarter = "x".repeat(256 * 1024);
    const written = await Promise.all(upTo(10).map((turn) => note(`${turn} ${quarter}`)));
    expect(written).toEqual(upTo(10));
    // The one that reaches 1 MiB is the last of its transaction.
    expect(commits).toEqual([4, 8, 10]);
  });

  test("writes what others post with the next transaction, however much of one user's waits, and each user's in order", async () => {
    const [one, two] = await node.writer.write(async (transaction) => {
      const add = async (name: string) => {
        const user = { username: name, username_key: name, password_hash: "none", admin: false, created_at: 0 };
        const user_id = await transaction.insert(UserEntity, user);
        const session_id = await transaction.insert(SessionEntity, { user_id, created_at: 0, expires_at: 1 });
        return { user_id, username: name, admin: false, session_id, expires_at: 1 };
      };
      return [await add("one"), await add("two")];
    });
    const large = "x".repeat(200 * 1024);
    const flood = upTo(12).map((turn) => node.writer.writeBatch(notes, `${turn} ${large}`, one ?? null));
    const others = ["a", "b"].map((text) => node.writer.writeBatch(notes, text, two ?? null));
    const small = node.writer.writeBatch(notes, "the last of one's", one ?? null);
    // Three of the flood fill its share of a transaction.
    expect(await Promise.all(others)).toEqual([4, 5]);
    expect(await Promise.all(flood)).toEqual([1, 2, 3, 6, 7, 8, 9, 10, 11, 12, 13, 14]);
    expect(await small).toBe(15);
  });

  test("answers everybody who waits when the database is closed under it", async () => {
    const writes = upTo(20).map((turn) => node.writer.write(async (transaction) => transaction.append(noted, { text: String(turn) })));
    const answers = Promise.allSettled(writes);
    await writes[0];
    await node.database.close();
    const outcomes = await within(5_000, "the answers", answers);
    const written = outcomes.filter(({ status }) => status === "fulfilled").length;
    expect(outcomes.at(-1)?.status).toBe("rejected");
    await within(5_000, "the drain", node.writer.drain());
    node = await startNode(await open(place.url), "two");
    // The last one may have been committed without an answer.
    const kept = seqs(await events());
    expect(kept).toEqual(upTo(kept.length));
    expect([written, written + 1]).toContain(kept.length);
  });
});

describe.each(databaseKinds().filter(({ shared }) => shared))("two writers over one $kind", ({ create, open }) => {
  let place: TestDatabase;
  let nodes: [Node, Node];
  beforeEach(async () => {
    place = await create();
    nodes = [await startNode(await open(place.url), "one"), await startNode(await open(place.url), "two")];
  });
  afterEach(async () => {
    for (const { database, errors } of nodes) {
      await database.close();
      expect(errors).toEqual([]);
    }
    await place.drop();
  });

  test("make one order without holes, which both logs tell whole", async () => {
    const turns = upTo(400).map(async (turn) => {
      const [mine, other] = turn % 2 === 0 ? nodes : [...nodes].reverse();
      const id = await mine?.writer.writeBatch(notes, String(turn), null);
      await other?.log.fresh();
      return id ?? 0;
    });
    expect((await Promise.all(turns)).sort((a, b) => a - b)).toEqual(upTo(400));
    for (const { database, log, told } of nodes) {
      await log.fresh();
      const rows = await database.read.all<{ id: number; tag: string }>(
        `select message_id as "id", tag from event where seq > 0 order by seq`,
        [],
      );
      expect(rows.map(({ id }) => id)).toEqual(upTo(400));
      expect(new Set(rows.map(({ tag }) => tag))).toEqual(new Set(["one", "two"]));
      expect(told.map(({ id }) => id)).toEqual(rows.map(({ tag }, index) => toCursor(index + 1, tag)));
      expect(log.head).toEqual(nodes[0].log.head);
    }
  });

  test("each know what the other has written: what both write is there once, the secret too", async () => {
    for (const round of upTo(40)) {
      const answers = await Promise.all(nodes.map(({ writer }) => writer.writeBatch(notes, `note ${round}`, null)));
      expect(answers).toEqual([round, round]);
    }
    const [secret, again] = await Promise.all(nodes.map(({ database, writer }) => readSecret(database.read, writer)));
    expect(again).toBe(secret);
  });

  test("refuse whom the other has signed out, and nobody else, alone and in a batch", async () => {
    const [one, two] = nodes;
    const sessions = await one.writer.write(async (transaction) => {
      const user = { username: "ann", username_key: "ann", password_hash: "none", admin: false, created_at: 0 };
      const user_id = await transaction.insert(UserEntity, user);
      const add = () => transaction.insert(SessionEntity, { user_id, created_at: 0, expires_at: 1 });
      return [await add(), await add()];
    });
    const [out, still] = sessions.map((session_id) => ({ user_id: 1, username: "ann", admin: false, session_id, expires_at: 1 }));
    if (!out || !still) throw new Error("There are two.");
    await two.writer.write((transaction) => transaction.remove(SessionEntity, { id: out.session_id }));
    const change = async (transaction: Transaction) => transaction.append(noted, { text: "alone" });
    const outcomes = await Promise.allSettled([
      one.writer.write(change, out),
      one.writer.write(change, still),
      one.writer.writeBatch(notes, "a", still),
      one.writer.writeBatch(notes, "b", out),
      one.writer.writeBatch(notes, "c", null),
    ]);
    expect(outcomes.map(({ status }) => status)).toEqual(["rejected", "fulfilled", "fulfilled", "rejected", "fulfilled"]);
    for (const outcome of outcomes) if (outcome.status === "rejected") expect(outcome.reason).toMatchObject({ code: "UNAUTHORIZED" });
    expect(one.told.map(({ payload }) => payload)).toEqual(["alone", "a", "c"].map((text) => JSON.stringify({ text })));
  });

  test("tell another history by its last position, though that was written while they waited for it", async () => {
    const [one, two] = nodes;
    // It has been told of a first position that is not the table's.
    one.log.commit([{ seq: 1, tag: "gone", name: "noted", channel_id: null, message_id: null, payload: null, at: 0 }]);
    let release = () => {};
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    const holding = new Promise<void>((locked) => {
      two.writer
        .write(async (transaction) => {
          transaction.append(noted, { text: "first" });
          locked();
          await released;
        })
        .catch((error: unknown) => two.errors.push(error));
    });
    await within(5_000, "the lock", holding);
    const refused = one.writer.writeBatch(notes, "second", null);
    const waiting = () =>
      two.database.read.all("select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'", []);
    await until("a wait for the lock", 5_000, async () => (await waiting()).length > 0);
    release();
    await expect(refused).rejects.toMatchObject({ code: "SERVICE_UNAVAILABLE" });
    await one.log.fresh();
    expect(one.errors.splice(0)).toEqual(["a new history"]);
    expect(await one.writer.writeBatch(notes, "third", null)).toBe(1);
  });
});
