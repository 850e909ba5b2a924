import { describe, expect, test } from "vitest";
import { TestClock } from "./support/clock.ts";
import { post, request, signUp } from "./support/http.ts";
import { startServer } from "./support/server.ts";
import { within } from "./support/wait.ts";
import { followingWires, openPlain, openSse, type Received } from "./support/wires.ts";

const tenYearsMs = 10 * 365 * 86_400_000;
const named = (name: string) => (item: Received) => item.event === name;
const texts = (items: readonly Received[]) => items.filter(named("post message")).map(({ data }) => data.message_text);

describe.each([
  ["back", -tenYearsMs],
  ["forward", tenYearsMs],
])("the wall clock jumps ten years %s", (direction, jumpMs) => {
  // Tokens would expire with the jump forward: `expires_at` alone follows the wall clock.
  const environment = { TOKEN_TTL: "9999d" };

  test("and nothing changes in order, in paging or in resuming", async () => {
    const clock = new TestClock();
    await using server = await startServer(environment, { clock });
    const { token } = await signUp(server, "ann");
    const cursor = (await request(server, "GET", "/channel")).headers.get("x-keenchat-cursor") ?? "";
    const readers = await Promise.all(followingWires.map(async ([, open]) => open(server, { cursor })));
    await Promise.all(readers.map(({ inbox }) => inbox.take("ready", named("ready"))));
    const expected = ["before", "after", "and after that"];
    const times: number[] = [];
    for (const text of expected) {
      times.push((await post(server, token, 1, text)).body.time);
      if (text === "before") clock.jump(jumpMs);
    }
    expect(Math.sign((times[1] ?? 0) - (times[0] ?? 0))).toBe(Math.sign(jumpMs));
    expect(
      (await request(server, "GET", "/message?channel_id=1")).body.map(({ message_text: text }: { message_text: string }) => text),
    ).toEqual(expected);
    for (const { inbox } of readers) {
      const last = await inbox.take("the last", ({ data }) => data.message_text === "and after that");
      expect(texts(inbox.items)).toEqual(expected);
      expect(last.id).toBe(readers[0]?.inbox.items.at(-1)?.id);
    }
    for (const [, open] of followingWires) {
      const again = await open(server, { cursor });
      await again.inbox.take("ready", named("ready"));
      expect(texts(again.inbox.items)).toEqual(expected);
      again.cut();
    }
    const { body } = await request(server, "GET", `/event?cursor=${cursor}`);
    expect(texts(body.events)).toEqual(expected);
    clock.advance(1_000);
    for (const reader of readers) reader.cut();
  });

  test("and nobody is thought dead, gone or silent; the silent still are, in their time", async () => {
    const clock = new TestClock();
    await using server = await startServer(environment, { clock });
    const { id, token } = await signUp(server, "ann");
    const client = await openPlain(server, { token });
    const sse = await openSse(server);
    client.send("change channel", { id: 1 });
    client.send("start typing", { channel_id: 1 });
    await client.settled();
    clock.jump(jumpMs);
    clock.advance(1_000);
    await client.settled();
    expect((await request(server, "GET", "/channel/1/users")).body.users).toEqual([id]);
    expect(sse.inbox.items.filter(named("stop typing"))).toEqual([]);
    clock.advance(5_500);
    await sse.inbox.take("the stop", named("stop typing"));
    await client.close();
    clock.advance(1_100);
    expect((await request(server, "GET", "/channel/1/users")).body.users).toEqual([]);
    sse.cut();
  });

  test("and a session that ends is over at once", async () => {
    const clock = new TestClock();
    await using server = await startServer(environment, { clock });
    const { token } = await signUp(server, "ann");
    const client = await openPlain(server, { token });
    await client.inbox.take("identified", named("identified"));
    clock.jump(jumpMs);
    expect((await request(server, "GET", "/auth", { token })).status).toBe(200);
    expect((await request(server, "DELETE", "/auth", { token })).status).toBe(204);
    expect((await request(server, "GET", "/auth", { token })).status).toBe(401);
    expect(await within(2_000, "the close", client.closed)).toMatchObject({ code: 4001 });
  });

  test(`and a token ${direction === "back" ? "is good for longer" : "has expired"}: expires_at follows the wall clock`, async () => {
    const clock = new TestClock();
    await using server = await startServer({}, { clock });
    const { token } = await signUp(server, "ann");
    clock.jump(jumpMs);
    expect((await request(server, "GET", "/auth", { token })).status).toBe(direction === "back" ? 200 : 401);
    clock.jump(-jumpMs);
    expect((await request(server, "GET", "/auth", { token })).status).toBe(200);
  });
});
