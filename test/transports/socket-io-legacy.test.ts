/** The original's behaviour, event by event, with the Socket.IO clients of its time and ours, over both transports. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { post, request, signUp } from "../support/http.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { type Client, connect, majors, transports } from "../support/socket-io.ts";

let server: TestServer;
let ann: { id: number; token: string };
let bob: { id: number; token: string };
beforeAll(async () => {
  server = await startServer();
  ann = await signUp(server, "ann");
  bob = await signUp(server, "bob");
});
afterAll(() => server.close());

const wires = majors.flatMap((major) => transports.map((transport) => ({ major, transport })));

describe.each(wires)("a Socket.IO $major client over $transport", ({ major, transport }) => {
  const open = (query: Record<string, string> = {}) => connect(server, major, transport, query);

  async function inChannel(client: Client, who: { id: number; token: string }, channelId: number): Promise<void> {
    client.emit("identify", who.token);
    await client.next("identified");
    client.emit("change channel", { id: channelId });
    await client.next("channel movement", (data) => data.channel_id === channelId && data.users.includes(who.id));
  }

  test("hears of a new user and of a message, with the log's ids", async () => {
    await using client = await open();
    const name = `u${major.replace(".", "")}-${transport}`;
    await signUp(server, name);
    expect((await client.next("post user")).data).toMatchObject({ username: name });
    const posted = await post(server, ann.token, 1, `hello ${name}`);
    const heard = await client.next("post message");
    expect(heard.data).toEqual(posted.body);
    expect(heard.id).toMatch(/^[A-Za-z0-9._-]{1,64}$/);
  });

  test("gets ready when it says connection, and nothing of the kind unasked", async () => {
    await using client = await open();
    const posted = await post(server, ann.token, 1, "marker");
    await client.next("post message", (data) => data.id === posted.body.id);
    expect(client.received.map(({ event }) => event)).not.toContain("ready");
    client.emit("connection");
    const ready = await client.next("ready");
    expect(ready.id).toBe(ready.data.cursor);
  });

  test("is told of a frame that cannot be read, and stays", async () => {
    await using client = await open();
    for (const broken of ["2{", "2{}", '2["identify"', "9", "zzz"]) {
      client.sendBroken(broken);
      expect((await client.next("error")).data).toEqual({ error: expect.any(String), code: "BAD_REQUEST" });
    }
    client.emit("identify", ann.token);
    await client.next("identified");
  });

  test("identifies once or again, and is told when the token is no good", async () => {
    await using client = await open();
    client.emit("identify", "nonsense");
    await client.next("identity failure");
    client.emit("identify", ann.token);
    await client.next("identified");
  });

  test("moves between channels, and everyone hears of both", async () => {
    await using watcher = await open();
    await using client = await open();
    await inChannel(client, ann, 1);
    await watcher.next("channel movement", (data) => data.channel_id === 1 && data.users.includes(ann.id));
    client.emit("change channel", { id: 2 });
    await watcher.next("channel movement", (data) => data.channel_id === 2 && data.users.includes(ann.id));
    await watcher.next("channel movement", (data) => data.channel_id === 1 && !data.users.includes(ann.id));
    client.emit("change channel", { id: null });
    await watcher.next("channel movement", (data) => data.channel_id === 2 && !data.users.includes(ann.id));
  });

  test("leaves its channel when it unidentifies, and when it disconnects", async () => {
    await using watcher = await open();
    await using client = await open();
    await inChannel(client, bob, 1);
    client.emit("unidentify");
    await watcher.next("channel movement", (data) => data.channel_id === 1 && !data.users.includes(bob.id));
    await inChannel(client, bob, 2);
    await watcher.next("channel movement", (data) => data.channel_id === 2 && data.users.includes(bob.id));
    await client[Symbol.asyncDispose]();
    await watcher.next("channel movement", (data) => data.channel_id === 2 && !data.users.includes(bob.id));
  });

  test("types, and what it adds of its own goes nowhere", async () => {
    await using watcher = await open();
    await using client = await open();
    client.emit("identify", ann.token);
    await client.next("identified");
    client.emit("start typing", { channel_id: 1, user_id: 999, extra: "x" });
    expect((await watcher.next("start typing", (data) => data.user_id === ann.id)).data).toEqual({ user_id: ann.id, channel_id: 1 });
    client.emit("stop typing", { channel_id: 1 });
    expect((await watcher.next("stop typing", (data) => data.user_id === ann.id)).data).toEqual({ user_id: ann.id, channel_id: 1 });
  });

  test("is told what it did wrong, and stays connected", async () => {
    await using client = await open();
    client.emit("no such event");
    expect((await client.next("error")).data).toEqual({ error: expect.any(String), code: "BAD_REQUEST" });
    client.emit("change channel", { id: 1 });
    await client.next("error", (data) => data.code === "UNAUTHORIZED");
    client.emit("identify", ann.token);
    await client.next("identified");
    client.emit("change channel", { id: 4_711 });
    await client.next("error", (data) => data.code === "NOT_FOUND");
  });

  test("resumes after its cursor: every later event once, in order, then ready", async () => {
    const head = (await request(server, "GET", "/message")).headers.get("x-keenchat-cursor") ?? "";
    const ids: number[] = [];
    for (let index = 0; index < 30; index += 1) ids.push((await post(server, ann.token, 1, `missed ${index}`)).body.id);
    await using client = await open({ cursor: head, auth: ann.token });
    await client.next("ready");
    const live = await post(server, ann.token, 1, "live");
    await client.next("post message", (data) => data.id === live.body.id);
    const messages = client.received.filter(({ event }) => event === "post message").map(({ data }) => data.id);
    expect(messages).toEqual([...ids, live.body.id]);
  });

  test("is told to read again where its cursor means nothing", async () => {
    await using client = await open({ cursor: "nonsense" });
    expect((await client.next("resync")).data.reason).toBe("malformed");
  });
});
