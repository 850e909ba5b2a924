/** What the server needs of a database, asked of every kind there is with the same sentences. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Database, WriteConnection } from "../../src/db/database.ts";
import { SettingEntity } from "../../src/db/log.entity.ts";
import { ChannelEntity } from "../../src/features/channel/channel.entity.ts";
import { MessageEntity } from "../../src/features/message/message.entity.ts";
import { UserEntity } from "../../src/features/user/user.entity.ts";
import { databaseKinds, type TestDatabase } from "../support/database.ts";
import { within } from "../support/wait.ts";

/** Every plane of Unicode but the surrogates, and whatever has a meaning in SQL, in LIKE or in a driver. */
const texts = [
  "",
  " \t\r\n ",
  `'; drop table "user"; -- \\' \\\\ ? ?? $1 :name %_ \`x\` {1,"2",NULL} NULL`,
  ...Array.from({ length: 17 }, (_, plane) => String.fromCodePoint(plane * 0x1_0000 + 0x41, plane * 0x1_0000 + 0xfffd)),
  "e\u0301 \u00e9 \u202e \ufeff \u0001 \u007f",
  "x".repeat(100_000),
];
const numbers = [1, 2 ** 31 - 1, 2 ** 31, 2 ** 32 + 1, Date.now(), Number.MAX_SAFE_INTEGER];

const newUser = (name: string, id?: number) => ({
  ...(id !== undefined && { id }),
  username: name,
  username_key: name,
  password_hash: "none",
  admin: false,
  created_at: 0,
});

async function fails(work: Promise<unknown>): Promise<Error> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof Error)) throw new Error("It did not fail.");
  return error;
}

describe.each(databaseKinds())("a database of kind $kind", ({ create, open }) => {
  let place: TestDatabase;
  let database: Database;
  beforeEach(async () => {
    place = await create();
    database = await open(place.url);
  });
  afterEach(async () => {
    await database.close();
    await place.drop();
  });

  const put = (name: string, value: string) => async (connection: WriteConnection) =>
    connection.run("insert into setting (name, value) values (?, ?)", [name, value]);
  const settings = () => database.read.all<{ name: string; value: string }>("select name, value from setting order by name", []);
  const messages = (columns: string, order = "id") => database.read.all(`select ${columns} from message order by ${order}`, []);

  test("shows readers what is committed, and nothing before", async () => {
    await database.transaction(async (connection) => {
      await put("a", "1")(connection);
      expect(await connection.all("select name from setting", [])).toEqual([{ name: "a" }]);
      expect(await settings()).toEqual([]);
      expect(await database.read.get("select 1 as one from setting", [])).toBeUndefined();
    });
    expect(await settings()).toEqual([{ name: "a", value: "1" }]);
  });

  test("keeps nothing of a change that fails, in whatever way it was written, and goes on", async () => {
    const failed = database.transaction(async (connection) => {
      await put("a", "1")(connection);
      await connection.insert(SettingEntity, { name: "b", value: "1" });
      connection.insertMany("setting", [{ name: "c", value: "1" }]);
      await connection.run("update counter set seq = 77", []);
      await connection.remove(ChannelEntity, { id: 1 });
      throw new TypeError("the change's own mistake");
    });
    expect(await fails(failed)).toMatchObject({ name: "TypeError", message: "the change's own mistake" });
    expect(await fails(database.transaction(async (connection) => connection.run("insert into nowhere values (1)", [])))).toBeInstanceOf(
      Error,
    );
    expect(await settings()).toEqual([]);
    expect(await database.read.all("select id from channel order by id", [])).toEqual([{ id: 1 }, { id: 2 }]);
    await database.transaction(put("d", "1"));
    expect(await settings()).toEqual([{ name: "d", value: "1" }]);
    expect(await database.transaction((connection) => connection.lockCounter())).toEqual({
      seq: 0,
      message_id: 0,
      tag: expect.stringMatching(/^[\w-]+$/),
    });
  });

  test("does what it is told in that order, SQL also where nobody waits in between", async () => {
    const seen = await database.transaction(async (connection) => {
      const [, , first] = await Promise.all([
        put("a", "first")(connection),
        connection.insertMany("setting", [{ name: "b", value: "first" }]),
        connection.get("select count(*) as many from setting where value = ?", ["first"]),
        connection.run("update setting set value = ? where name = ?", ["second", "a"]),
      ]);
      const second = await connection.find(SettingEntity, { name: "a" });
      await connection.update(SettingEntity, { name: "a" }, { value: "third" });
      return { first, second, third: await connection.get("select value from setting where name = ?", ["a"]) };
    });
    expect(seen).toMatchObject({ first: { many: 2 }, second: { value: "second" }, third: { value: "third" } });
  });

  test("goes no further than a flush where something before it is refused, whoever waited for it", async () => {
    const reached: string[] = [];
    const change = database.transaction(async (connection) => {
      await put("a", "1")(connection);
      await connection.flush();
      reached.push("first");
      await put("a", "2")(connection);
      await connection.flush();
      reached.push("second");
    });
    expect(await fails(change)).not.toMatchObject({ code: "SERVICE_UNAVAILABLE" });
    expect(reached).toEqual(["first"]);
    expect(await settings()).toEqual([]);
  });

  test("gives text back as it got it, by every way in and out", async () => {
    const rows = texts.map((text, index) => [`set ${String(index).padStart(3, "0")}`, text] as const);
    await database.transaction(async (connection) => {
      connection.insertMany(
        "setting",
        rows.map(([name, value]) => ({ name, value })),
      );
      for (const [name, text] of rows) {
        await connection.insert(SettingEntity, { name: `orm ${name}`, value: text });
        await put(`sql ${name}`, text)(connection);
        await put(`put ${name}`, "")(connection);
        await connection.update(SettingEntity, { name: `put ${name}` }, { value: text });
        expect(await connection.find(SettingEntity, { name, value: text })).toMatchObject({ value: text });
      }
      const found = await connection.findMany("setting", "name", ["name", "value"], rows);
      expect(found).toHaveLength(rows.length);
    });
    const values = new Map((await settings()).map(({ name, value }) => [name, value]));
    for (const way of ["", "orm ", "sql ", "put "]) expect(rows.map(([name]) => values.get(way + name))).toEqual(texts);
    for (const [name, text] of rows)
      expect(await database.read.get("select name from setting where value = ? and name = ?", [text, name])).toEqual({ name });
  });

  test("gives numbers, nothing at all, and yes and no back as it got them", async () => {
    await database.transaction(async (connection) => {
      await connection.insert(UserEntity, newUser("ann", 2 ** 40));
      await connection.insert(UserEntity, { ...newUser("bob"), admin: true });
      const row = (number: number, index: number) => ({
        id: number,
        channel_id: 1,
        user_id: 2 ** 40,
        message_text: "",
        time: number,
        edited_at: index % 2 === 0 ? null : number,
        client_message_id: index === 0 ? "" : null,
      });
      connection.insertMany("message", numbers.map(row));
      expect(await connection.find(MessageEntity, { id: 2 ** 31 })).toMatchObject({ user_id: 2 ** 40, time: 2 ** 31, edited_at: null });
      expect(await connection.find(UserEntity, { username_key: "ann" })).toMatchObject({ id: 2 ** 40, admin: false });
      expect(await connection.find(UserEntity, { admin: true })).toMatchObject({ username: "bob", admin: true });
      expect(await connection.find(UserEntity, { username_key: "nobody" })).toBeNull();
    });
    expect(await messages("time, edited_at, client_message_id, user_id")).toEqual(
      numbers.map((time, index) => ({
        time,
        edited_at: index % 2 === 0 ? null : time,
        client_message_id: index === 0 ? "" : null,
        user_id: 2 ** 40,
      })),
    );
    const admins = await database.read.all<{ admin: unknown }>(`select admin from "user" order by username`, []);
    expect(admins.map(({ admin }) => Boolean(admin))).toEqual([false, true]);
    expect(await database.read.all(`select username from "user" where admin`, [])).toEqual([{ username: "bob" }]);
  });

  test.each([0, 1, 1_000])("inserts and finds %d rows at once, those that are asked for and no others", async (count) => {
    const rows = Array.from({ length: count }, (_, index) => [`name ${index}`, `value ${index}`] as const);
    await database.transaction(async (connection) => {
      await put("another", "value 0")(connection);
      connection.insertMany(
        "setting",
        rows.map(([name, value]) => ({ name, value })),
      );
      const missing = [...rows.map(([name]) => [name, "value x"] as const), ["another", "value 1"] as const];
      expect(await connection.findMany("setting", "name", ["name", "value"], missing)).toEqual([]);
      const found = await connection.findMany<{ name: string }>("setting", "name", ["name", "value"], rows);
      expect(found.map(({ name }) => name).sort()).toEqual(rows.map(([name]) => name).sort());
    });
    expect(await settings()).toHaveLength(count + 1);
  });

  test("refuses what is there already and what points at nothing, and keeps nothing of that change", async () => {
    await database.transaction((connection) => connection.insert(UserEntity, newUser("ann")));
    const message = { id: 1, channel_id: 1, user_id: 1, message_text: "", time: 0 };
    const changes: ((connection: WriteConnection) => unknown)[] = [
      (connection) => connection.insert(UserEntity, newUser("ann")),
      (connection) => connection.insert(ChannelEntity, { title: "t", description: "", user_id: 99 }),
      (connection) => connection.insertMany("message", [{ ...message, user_id: 99 }]),
      (connection) => connection.insertMany("message", [message, message]),
      (connection) => connection.insertMany("message", [{ ...message, message_text: null }]),
      (connection) => connection.update(ChannelEntity, { id: 1 }, { user_id: 99 }),
      (connection) => Promise.all([put("left", "")(connection), put("left", "")(connection)]),
    ];
    for (const change of changes) {
      const refused = database.transaction(async (connection) => {
        await put("trace", "")(connection);
        await change(connection);
      });
      expect(await fails(refused)).not.toMatchObject({ code: "SERVICE_UNAVAILABLE" });
    }
    expect(await settings()).toEqual([]);
    expect(await messages("id")).toEqual([]);
    expect(await database.read.all(`select id from "user"`, [])).toEqual([{ id: 1 }]);
  });

  test("changes and removes the rows that are named, counts those that went, and what hung on them goes too", async () => {
    await database.transaction(async (connection) => {
      const user_id = await connection.insert(UserEntity, newUser("ann"));
      connection.insertMany(
        "message",
        [1, 2, 3].map((id) => ({ id, channel_id: id === 3 ? 2 : 1, user_id, message_text: "", time: 0 })),
      );
      await connection.update(MessageEntity, { id: 1 }, { message_text: "changed", edited_at: 5 });
      expect(await connection.remove(MessageEntity, { id: 99 })).toBe(0);
      expect(await connection.remove(ChannelEntity, { id: 2 })).toBe(1);
      expect(await connection.remove(MessageEntity, { user_id, id: 2 })).toBe(1);
    });
    expect(await messages("id, message_text, edited_at")).toEqual([{ id: 1, message_text: "changed", edited_at: 5 }]);
    expect(await database.read.all("select id from channel", [])).toEqual([{ id: 1 }]);
  });

  test("never gives an id twice, not after the newest rows were removed, not after a new start", async () => {
    const add = () => database.transaction((connection) => connection.insert(ChannelEntity, { title: "t", description: "" }));
    const first = [await add(), await add()];
    expect(first[0]).toBeGreaterThan(2);
    await database.transaction(async (connection) => connection.run("delete from channel", []));
    const second = await add();
    await database.transaction((connection) => connection.remove(ChannelEntity, { id: second }));
    await database.close();
    database = await open(place.url);
    const ids = [...first, second, await add()];
    expect(ids).toEqual([...new Set(ids)].sort((a, b) => a - b));
  });

  test("answers many readers while a change is under way", async () => {
    await database.transaction(async (connection) => {
      await put("a", "1")(connection);
      const answers = await Promise.all(
        Array.from({ length: 200 }, (_, id) => database.read.get("select id from channel where id = ?", [id])),
      );
      expect(answers.filter((answer) => answer !== undefined)).toEqual([{ id: 1 }, { id: 2 }]);
    });
  });

  test("closed in the middle of reading and writing, it leaves nobody without an answer and keeps whole changes only", async () => {
    let begun = () => {};
    const started = new Promise<void>((resolve) => {
      begun = resolve;
    });
    const change = database.transaction(async (connection) => {
      connection.insertMany("setting", [
        { name: "a", value: "" },
        { name: "b", value: "" },
      ]);
      begun();
      await new Promise((resolve) => setImmediate(resolve));
      await put("c", "")(connection);
    });
    const settled = Promise.allSettled([change]);
    await started;
    const reads = Array.from({ length: 20 }, () => settings());
    const closing = database.close();
    const late = [settings(), database.transaction(put("late", ""))];
    const answers = await within(5_000, "an answer to everybody", Promise.allSettled([...reads, ...late]));
    for (const { status } of answers.slice(-1)) expect(status).toBe("rejected");
    const [outcome] = await within(5_000, "an answer to the change", settled);
    await within(5_000, "the close", closing);
    expect(await fails(settings())).toBeInstanceOf(Error);
    database = await open(place.url);
    const kept = (await settings()).map(({ name }) => name).join("");
    expect(outcome?.status === "fulfilled" ? ["abc"] : ["", "abc"]).toContain(kept);
  });
});
