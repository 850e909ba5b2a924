/** What a Socket.IO client is told that asks for an acknowledgement: once its command was carried out, or why it was not. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { request, signUp } from "../support/http.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { connect, majors, transports } from "../support/socket-io.ts";

let server: TestServer;
let ann: { id: number; token: string };
beforeAll(async () => {
  server = await startServer();
  ann = await signUp(server, "ann");
});
afterAll(() => server.close());

const usersOf = async (channelId: number) => (await request(server, "GET", `/channel/${channelId}/users`)).body.users;
const refused = (code: string) => ({ error: expect.stringMatching(/./), code });
const wires = majors.flatMap((major) => transports.map((transport) => ({ major, transport })));

describe.each(wires)("a Socket.IO $major client over $transport", ({ major, transport }) => {
  const open = () => connect(server, major, transport);

  test("gets ok for every command, with data and without, when it was carried out", async () => {
    await using client = await open();
    expect(await client.ask("connection")).toEqual({ ok: true });
    // Over polling it may follow the acknowledgement, and what another client leaves behind may come before both.
    await client.next("ready");
    expect(await client.ask("identify", ann.token)).toEqual({ ok: true });
    expect(await client.ask("change channel", { id: 1 })).toEqual({ ok: true });
    expect(await usersOf(1)).toEqual([ann.id]);
    expect(await client.ask("start typing", { channel_id: 1 })).toEqual({ ok: true });
    expect(await client.ask("stop typing", { channel_id: 1 })).toEqual({ ok: true });
    expect(await client.ask("change channel", null)).toEqual({ ok: true });
    expect(await usersOf(1)).toEqual([]);
    expect(await client.ask("unidentify")).toEqual({ ok: true });
  });

  test("gets the error of a command that is refused, as the event says it", async () => {
    await using client = await open();
    expect(await client.ask("change channel", { id: 1 })).toEqual(refused("UNAUTHORIZED"));
    expect(await client.ask("identify", "nonsense")).toEqual(refused("UNAUTHORIZED"));
    expect(await client.ask("identify")).toEqual(refused("UNAUTHORIZED"));
    expect(await client.ask("no such event", 1, 2)).toEqual(refused("BAD_REQUEST"));
    await client.ask("identify", ann.token);
    const notFound = await client.ask("change channel", { id: 4_711 });
    expect(notFound).toEqual(refused("NOT_FOUND"));
    expect((await client.next("error", ({ code }) => code === "NOT_FOUND")).data).toEqual(notFound);
    for (const odd of [Buffer.from("1"), { id: Buffer.from("1") }, [[]], "text", 5, true]) {
      expect(await client.ask("change channel", odd)).toEqual(refused("BAD_REQUEST"));
    }
  });

  test("gets what it asked for in the order of its commands, each once", async () => {
    await using client = await open();
    const answers: string[] = [];
    const asked = ["identify", "connection", "no such event", "unidentify", "connection"].map(async (event, index) => {
      await client.ask(event, ...(event === "identify" ? [ann.token] : []));
      answers.push(`${index} ${event}`);
    });
    await Promise.all(asked);
    expect(answers).toEqual(["0 identify", "1 connection", "2 no such event", "3 unidentify", "4 connection"]);
  });
});

test("a client with retries is told once, and its command is carried out once", async () => {
  await using client = await connect(server, "4.8", "websocket", {}, { retries: 3, ackTimeout: 5_000 });
  const answer = await client.ask("identify", ann.token);
  expect(answer).toBeNull();
  expect(await client.ask("connection")).toBeNull();
  expect(client.received.map(({ event }) => event)).toEqual(["identified", "ready"]);
});

test("a frame that cannot be read is acknowledged by its number, also in the middle of one in parts", async () => {
  const url = `${server.restUrl}/socket.io/?EIO=4&transport=polling`;
  const { sid } = JSON.parse((await (await fetch(url)).text()).slice(1)) as { sid: string };
  const session = `${url}&sid=${sid}`;
  const say = async (...packets: string[]) => (await fetch(session, { method: "POST", body: packets.join("\u001e") })).status;
  expect(await say("40")).toBe(200);
  await (await fetch(session)).text();
  expect(
    await say('4212["identify"', '451-13["change channel",{"_placeholder":true,"num":0}]', '4214["connection"]', '4215["connection"]'),
  ).toBe(200);
  let heard: string[] = [];
  while (!heard.some((packet) => packet.startsWith("4315"))) heard = [...heard, ...(await (await fetch(session)).text()).split("\u001e")];
  const acknowledged = heard
    .filter((packet) => packet.startsWith("43"))
    .map((packet) => [packet.slice(2, 4), JSON.parse(packet.slice(4))[0]]);
  expect(acknowledged).toEqual([
    ["12", refused("BAD_REQUEST")],
    ["14", refused("BAD_REQUEST")],
    ["15", { ok: true }],
  ]);
});
