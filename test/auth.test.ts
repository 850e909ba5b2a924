import { createHmac } from "node:crypto";
import { decodeJwt } from "jose";
import { afterAll, beforeAll, expect, test } from "vitest";
import { TestClock } from "./support/clock.ts";
import { createDatabase } from "./support/database.ts";
import { password, post, request, signUp } from "./support/http.ts";
import { startServer, type TestServer } from "./support/server.ts";
import { tryToken } from "./support/tokens.ts";
import { within } from "./support/wait.ts";

const secret = "a secret that is shared with somebody else";
let server: TestServer;
let ann: { id: number; token: string };
beforeAll(async () => {
  server = await startServer({ AUTH_SECRET: secret });
  ann = await signUp(server, "Ann");
});
afterAll(() => server.close());

const login = (username: unknown, secretWord: unknown, from = server) =>
  request(from, "POST", "/auth", { body: { username, password: secretWord } });

test("signing in gives a session whose token tells who one is", async () => {
  const before = Date.now();
  const { status, body } = await login("Ann", password);
  expect(status).toBe(200);
  expect(body).toEqual({ user_id: ann.id, token_value: expect.any(String), expires_at: expect.any(Number) });
  expect(body.expires_at).toBeGreaterThanOrEqual(before + 30 * 86_400_000 - 1_000);
  expect(body.expires_at).toBeLessThanOrEqual(Date.now() + 30 * 86_400_000);
  const expected = { user_id: ann.id, username: "Ann", admin: true, expires_at: body.expires_at };
  expect((await request(server, "GET", "/auth", { token: body.token_value })).body).toEqual(expected);
  expect((await request(server, "GET", `/auth?auth=${body.token_value}`)).body).toEqual(expected);
});

test("a name is found whatever its case, a password only as it is", async () => {
  expect((await login("aNN", password)).status).toBe(200);
  expect((await login("Ann", password.toUpperCase())).status).toBe(401);
  expect((await login("Ann", ` ${password}`)).status).toBe(401);
  // The Kelvin sign is no K, and an accent is not left out.
  await signUp(server, "Kim");
  expect((await login("\u212aim", password)).status).toBe(401);
});

test("a wrong name and a wrong password get the same answer", async () => {
  const answers = [
    await login("nobody", "some password"),
    await login("Ann", "some password"),
    await login("", ""),
    await login("x".repeat(5_000), "y"),
  ];
  for (const { status, body } of answers) {
    expect(status).toBe(401);
    expect(body).toEqual({ error: "Invalid details.", message: "Invalid details.", code: "UNAUTHORIZED", request_id: expect.any(String) });
  }
});

test("and take about the same time", async () => {
  const median = async (username: string) => {
    const times: number[] = [];
    for (let round = 0; round < 9; round += 1) {
      const start = performance.now();
      await login(username, "some password");
      times.push(performance.now() - start);
    }
    return times.sort((a, b) => a - b)[4] ?? 0;
  };
  const [known, unknown] = [await median("Ann"), await median("nobody")];
  // Without the same hashing one would take a tenth of the other.
  expect(unknown).toBeGreaterThan(known / 3);
  expect(known).toBeGreaterThan(unknown / 3);
});

test("every byte of a password counts, up to 1024 of them", async () => {
  const long = `${"é".repeat(511)}xy`;
  expect((await request(server, "POST", "/user", { body: { username: "long", password: long } })).status).toBe(201);
  expect((await login("long", long)).status).toBe(200);
  expect((await login("long", `${long.slice(0, -1)}z`)).status).toBe(401);
  expect((await login("long", long.slice(0, -1))).status).toBe(401);
});

test("what is no text is refused as input", async () => {
  for (const wrong of [1, null, ["Ann"], { a: 1 }, true, undefined, "a\u0000b"]) {
    expect((await login(wrong, password)).status).toBe(400);
    expect((await login("Ann", wrong)).status).toBe(400);
  }
});

test("who calls without a token is asked for one in the original's words", async () => {
  for (const [method, path] of [
    ["GET", "/auth"],
    ["DELETE", "/auth"],
    ["POST", "/message"],
    ["POST", "/channel"],
    ["PUT", "/channel/1"],
  ] as const) {
    const { status, body } = await request(server, method, path, method === "GET" || method === "DELETE" ? {} : { body: {} });
    expect(status).toBe(401);
    expect(body.error).toBe("Please pass an auth token.");
  }
});

function sign(header: object, claims: object, key: string): string {
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const text = `${encode(header)}.${encode(claims)}`;
  return `${text}.${createHmac("sha256", key).update(text).digest("base64url")}`;
}

test("a token that was not made here is refused, however well it is made", async () => {
  const header = { alg: "HS256", typ: "JWT" };
  const { token } = ann;
  const [head = "", body = "", signature = ""] = token.split(".");
  const claims = decodeJwt<{ exp: number }>(token);
  const unsigned = `${Buffer.from('{"alg":"none"}').toString("base64url")}.${body}.`;
  const later = { ...claims, exp: claims.exp + 1_000 };
  const refused = [
    "",
    "x",
    "a.b.c",
    "x".repeat(5_000),
    unsigned,
    `${unsigned}${signature}`,
    sign(header, claims, "another secret, just as long as ours is"),
    `${head}.${Buffer.from(JSON.stringify(later)).toString("base64url")}.${signature}`,
    token.slice(0, -2),
    `${token}x`,
    ...[{}, { sid: "1" }, { sid: 1.5 }, { sid: [1] }, { sid: null }, { sid: { a: 1 } }, { sid: 1e300 }, { sid: -1 }, { sid: 999_999 }].map(
      (odd) => sign(header, { ...odd, exp: claims.exp }, secret),
    ),
    // Of a session that is there, and not as it is there.
    ...[{ sid: claims.sid }, { ...claims, sub: "2" }, { ...claims, sub: ann.id }, { ...claims, exp: claims.exp + 1 }].map((odd) =>
      sign(header, odd, secret),
    ),
    sign({ alg: "HS256", typ: "JWT", crit: ["x"], x: 1 }, claims, secret),
    sign(header, { ...claims, exp: 1 }, secret),
    sign(header, { ...claims, nbf: claims.exp }, secret),
  ];
  for (const [index, wrong] of refused.entries()) {
    const { status } = await request(server, "GET", `/channel?auth=${encodeURIComponent(wrong)}`);
    expect([index, status]).toEqual([index, 401]);
  }
  expect((await request(server, "GET", "/channel", { token })).status).toBe(200);
  expect((await request(server, "GET", "/channel", { token: sign(header, claims, secret) })).status).toBe(200);
});

test("a token is dead with the request after it was ended, and no other is", async () => {
  const [one, two] = [(await login("Ann", password)).body.token_value, (await login("Ann", password)).body.token_value];
  expect((await request(server, "GET", "/auth", { token: one })).status).toBe(200);
  const stream = await fetch(`${server.restUrl}/event?auth=${one}`, { headers: { accept: "text/event-stream" } });
  expect((await request(server, "DELETE", "/auth", { token: one })).status).toBe(204);
  expect((await request(server, "GET", "/auth", { token: one })).status).toBe(401);
  expect((await request(server, "GET", "/channel", { token: one })).status).toBe(401);
  expect((await request(server, "DELETE", "/auth", { token: one })).status).toBe(401);
  await within(2_000, "the end of its stream", stream.text());
  expect((await request(server, "GET", "/auth", { token: two })).status).toBe(200);
});

test("a token spelt in another way is dead with it too", async () => {
  const token: string = (await login("Ann", password)).body.token_value;
  const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  // The last letter of a signature of 32 bytes stands for four bits; the other two say nothing.
  const spellings = [0, 1, 2, 3].map((bits) => token.slice(0, -1) + letters[letters.indexOf(token.slice(-1)) + bits]);
  for (const spelling of spellings) await request(server, "GET", "/auth", { token: spelling });
  expect((await request(server, "DELETE", "/auth", { token })).status).toBe(204);
  for (const spelling of spellings) expect((await request(server, "GET", "/auth", { token: spelling })).status).toBe(401);
});

test("a token is good until it expires, and no longer", async () => {
  const clock = new TestClock();
  await using short = await startServer({ TOKEN_TTL: "60s" }, { clock });
  await signUp(short, "ann");
  const { token_value: token, expires_at: expiresAt } = (await login("ann", password, short)).body;
  clock.jump(expiresAt - clock.now() - 1);
  expect((await request(short, "GET", "/auth", { token })).status).toBe(200);
  clock.jump(1);
  expect((await request(short, "GET", "/auth", { token })).status).toBe(401);
  expect((await request(short, "GET", "/channel", { token })).status).toBe(401);
  expect((await request(short, "GET", "/channel")).status).toBe(200);
});

test("a token that a restored backup knows nothing of is nobody's, whoever gets its session's number, and his is good", async () => {
  const clock = new TestClock();
  const database = await createDatabase();
  const start = (url: string) => startServer({ DATABASE_URL: url }, { clock });
  let own = await start(database.url);
  await signUp(own, "ann");
  await request(own, "POST", "/user", { body: { username: "bob", password } });
  await own.close();
  const backup = await database.copy();
  own = await start(database.url);
  const bobs = (await login("bob", password, own)).body.token_value;
  const carol = await signUp(own, "carol");
  expect(await tryToken(own, bobs)).toEqual({ rest: "bob", socket: "bob" });
  await own.close();

  own = await start(backup.url);
  clock.advance(1_000);
  const anns = (await login("ann", password, own)).body.token_value;
  const dave = await signUp(own, "dave");
  expect(decodeJwt(anns).sid).toBe(decodeJwt(bobs).sid);
  expect([dave.id, decodeJwt(dave.token).sid]).toEqual([carol.id, decodeJwt(carol.token).sid]);
  for (const lost of [bobs, carol.token]) expect(await tryToken(own, lost)).toEqual({ rest: 401, socket: 401 });
  expect(await tryToken(own, anns)).toEqual({ rest: "ann", socket: "ann" });
  expect(await tryToken(own, dave.token)).toEqual({ rest: "dave", socket: "dave" });
  await own.close();
  await Promise.all([database.drop(), backup.drop()]);
});

test("whoever was known before his session's number went to somebody else changes nothing, and does not sign them out", async () => {
  const database = await createDatabase();
  const own = await startServer({ DATABASE_URL: database.url, AUTH_SECRET: secret });
  const owner = await signUp(own, "ann");
  const bob = await signUp(own, "bob");
  expect((await post(own, bob.token, 1, "before")).status).toBe(201);
  const { sid, exp } = decodeJwt<{ sid: number; exp: number }>(bob.token);
  // As a restored backup and a sign-in after it leave it: neither is an event that a server would hear of.
  await database.execute(`update session set user_id = ${owner.id} where id = ${sid}`);
  const anns = sign({ alg: "HS256", typ: "JWT" }, { sid, sub: String(owner.id), exp }, secret);
  const refused = async (token: string) => {
    const answers = [await post(own, token, 1, "after"), await request(own, "DELETE", "/auth", { token })];
    expect(answers.map(({ status }) => status)).toEqual([401, 401]);
  };
  await refused(bob.token);
  expect((await post(own, anns, 1, "hers")).status).toBe(201);
  await database.execute(`update session set expires_at = expires_at + 1000 where id = ${sid}`);
  await refused(anns);
  expect(await database.count("select count(*) as n from message")).toBe(2);
  const later = sign({ alg: "HS256", typ: "JWT" }, { sid, sub: String(owner.id), exp: exp + 1 }, secret);
  expect((await request(own, "DELETE", "/auth", { token: later })).status).toBe(204);
  await own.close();
  await database.drop();
});

test("one signs in and signs up again whatever has become of the token in the header, and does nothing else with it", async () => {
  const bodies = { username: "Ann", password };
  const ended = (await login("Ann", password)).body.token_value;
  await request(server, "DELETE", "/auth", { token: ended });
  for (const [index, authorization] of [`Bearer ${ended}`, "Bearer x", "Basic YTpi", ""].entries()) {
    const headers = { authorization };
    const options = { body: bodies, headers };
    expect([authorization, (await request(server, "POST", "/auth", options)).status]).toEqual([authorization, 200]);
    const body = { username: `again-${index}`, password };
    expect([authorization, (await request(server, "POST", "/user", { body, headers })).status]).toEqual([authorization, 201]);
    expect((await request(server, "POST", "/trpc/auth.login", options)).body.result.data.user_id).toBe(ann.id);
    const made = await request(server, "POST", "/trpc/user.post", { body: { username: `trpc-${index}`, password }, headers });
    expect(made.status).toBe(200);
    // In a batch each call is for itself.
    const batch = { 0: bodies, 1: { username: `batch-${index}`, password }, 2: { title: `batch-${index}` } };
    const answers = await request(server, "POST", "/trpc/auth.login,user.post,channel.post?batch=1", { body: batch, headers });
    expect(answers.status).toBe(207);
    expect(answers.body.map((answer: { error?: { data: { code: string } } }) => answer.error?.data.code)).toEqual([
      undefined,
      undefined,
      "UNAUTHORIZED",
    ]);
    for (const [method, path] of [
      ["POST", "/channel"],
      ["GET", "/channel"],
      ["POST", "/trpc/channel.post"],
      ["GET", "/trpc/channel.list"],
    ] as const)
      expect([path, (await request(server, method, path, { headers, ...(method === "POST" && { body: { title: "x" } }) })).status]).toEqual(
        [path, 401],
      );
  }
  expect((await request(server, "GET", "/channel")).body.map(({ title }: { title: string }) => title)).not.toContain("batch-0");
  for (const query of ["?auth=x", "?auth=x&auth=y", "?auth="])
    expect((await request(server, "POST", `/auth${query}`, { body: bodies, headers: { authorization: "Bearer y" } })).status).toBe(200);
  // A token that is good counts where it can.
  const own = await startServer({ SIGN_UP: "closed" });
  const admin = await signUp(own, "admin");
  const body = { username: "bea", password };
  expect((await request(own, "POST", "/user", { body, headers: { authorization: "Bearer x" } })).status).toBe(401);
  expect((await request(own, "POST", "/user", { body, token: admin.token })).status).toBe(201);
  await own.close();
});

test("documents look at no token", async () => {
  for (const path of ["/live", "/ready", "/openapi.json", "/metrics"]) {
    for (const query of ["", "?auth=nonsense", "?auth=a&auth=b"]) {
      expect([path + query, (await request(server, "GET", path + query, { headers: { authorization: "Bearer x" } })).status]).toEqual([
        path + query,
        200,
      ]);
    }
    expect((await request(server, "HEAD", `${path}/`)).status).toBe(200);
    const other = await request(server, "POST", path);
    expect(other.status).toBe(405);
    expect(other.headers.get("allow")).toBe("GET, HEAD, OPTIONS");
  }
});

test("forty sign-ins at once are too many: two hash, 32 wait, the others are told when to come back", async () => {
  await using busy = await startServer();
  await signUp(busy, "ann");
  const answers = await Promise.all(Array.from({ length: 80 }, () => login("ann", password, busy)));
  const refused = answers.filter(({ status }) => status === 429);
  expect(answers.filter(({ status }) => status === 200).length).toBeGreaterThanOrEqual(34);
  expect(answers.every(({ status }) => status === 200 || status === 429)).toBe(true);
  expect(refused.length).toBeGreaterThan(0);
  for (const { headers, body } of refused) {
    expect(headers.get("retry-after")).toMatch(/^[1-9]\d*$/);
    expect(body.code).toBe("TOO_MANY_REQUESTS");
  }
  expect((await login("ann", password, busy)).status).toBe(200);
});
