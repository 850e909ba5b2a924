import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { password, request, signUp } from "./support/http.ts";
import { startServer, type TestServer } from "./support/server.ts";

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.close());

const make = (body: unknown, options: { from?: TestServer; token?: string; headers?: Record<string, string> } = {}) =>
  request(options.from ?? server, "POST", "/user", { body, ...options });

test("a user is made, found at its Location, and its password never comes back", async () => {
  const made = await make({ username: "Bea-1_x", password, id: 77, admin: true, user_id: "x", time: null });
  expect(made.status).toBe(201);
  expect(made.body).toEqual({ id: expect.any(Number), username: "Bea-1_x" });
  expect(made.headers.get("location")).toBe(`/user/${made.body.id}`);
  expect(made.headers.has("x-keenchat-cursor")).toBe(false);
  expect((await request(server, "GET", `/user/${made.body.id}`)).body).toEqual(made.body);
  expect((await request(server, "GET", "/user?username=bEA-1_X")).body).toEqual([made.body]);
  expect((await request(server, "GET", "/user?username=bea")).body).toEqual([]);
});

test("a name is taken whatever its case", async () => {
  expect((await make({ username: "Carl", password })).status).toBe(201);
  const taken = await make({ username: "cARL", password });
  expect(taken.status).toBe(409);
  expect(taken.body.code).toBe("CONFLICT");
  const together = await Promise.all(["dora", "Dora", "DORA", "doRA"].map((username) => make({ username, password })));
  expect(together.map(({ status }) => status).sort()).toEqual([201, 409, 409, 409]);
});

test.each([
  "",
  "a",
  "1ab",
  "_ab",
  "-ab",
  "a b",
  "a.b",
  "ab\n",
  "äb",
  "a".repeat(65),
  "ab\u0000",
  "\u212aim",
  5,
  null,
  ["ab"],
  { a: 1 },
  undefined,
])("the name %j is refused in the original's words", async (username) => {
  const refused = await make({ username, password });
  expect(refused.status).toBe(400);
  expect(refused.body).toMatchObject({ error: "Invalid username.", message: "Invalid username.", code: "BAD_REQUEST" });
  expect(refused.body.issues[0].path).toEqual(["username"]);
});

test("names of 2 and of 64 characters are good", async () => {
  for (const username of ["ab", `z${"9".repeat(63)}`]) expect((await make({ username, password })).status).toBe(201);
});

test("a password has 8 to 1024 bytes", async () => {
  const cases: [unknown, number][] = [
    ["1234567", 400],
    ["12345678", 201],
    ["éééé", 201],
    ["ééé", 400],
    ["🙂🙂", 201],
    ["x".repeat(1_024), 201],
    ["x".repeat(1_025), 400],
    ["é".repeat(513), 400],
    ["        ", 201],
    ["1234567\u0000", 400],
    ["1234567\ud800", 400],
    [12345678, 400],
    [undefined, 400],
  ];
  for (const [index, [secret, status]] of cases.entries()) {
    expect([index, (await make({ username: `pass${index}`, password: secret })).status]).toEqual([index, status]);
  }
});

test("users are listed from the first, in pages that lead on", async () => {
  await using own = await startServer();
  for (const name of ["aa", "bb", "cc", "dd", "ee"]) expect((await make({ username: name, password }, { from: own })).status).toBe(201);
  expect((await request(own, "GET", "/user")).body.map(({ id }: { id: number }) => id)).toEqual([1, 2, 3, 4, 5]);
  const seen: number[] = [];
  let path: string | undefined = "/user/?limit=2&auth=&x=1".replace("auth=&", "");
  while (path) {
    const page = await request(own, "GET", path);
    seen.push(...page.body.map(({ id }: { id: number }) => id));
    const link = page.headers.get("link");
    expect(link ?? "").not.toMatch(/rel="prev"|auth|x=1/);
    path = link?.match(/^<(\/user\?[^>]*)>; rel="next"$/)?.[1];
    if (link) expect(path).toBeDefined();
  }
  expect(seen).toEqual([1, 2, 3, 4, 5]);
  expect((await request(own, "GET", "/user?after=5")).body).toEqual([]);
  expect((await request(own, "GET", "/user?limit=5")).headers.has("link")).toBe(false);
});

test("a user that is not there is 404, an id that is none 400", async () => {
  expect((await request(server, "GET", "/user/999999")).status).toBe(404);
  for (const id of [
    "0",
    "-1",
    "1.0",
    "0x1",
    "1e0",
    "%201",
    "01",
    "+1",
    "١",
    "9007199254740993",
    "99999999999999999999",
    "1;",
    "null",
    "%00",
  ]) {
    const { status, body } = await request(server, "GET", `/user/${id}`);
    expect([id, status]).toEqual([id, 400]);
    expect(body.issues[0].path).toEqual(["id"]);
  }
});

test("text that cannot be stored cannot be looked for", async () => {
  expect((await request(server, "GET", "/user?username=%00")).status).toBe(400);
  expect((await request(server, "GET", "/user?username=%ED%A0%80")).status).toBe(400);
  expect((await request(server, "GET", "/user?username=a&username=b")).status).toBe(400);
  expect((await request(server, "GET", "/user?username=%25_%27")).body).toEqual([]);
});

describe("ADMIN", () => {
  const self = async (from: TestServer, token: string) => (await request(from, "GET", "/auth", { token })).body;

  test("unset: the first user made on this machine, without a proxy in between", async () => {
    await using own = await startServer();
    for (const header of ["x-forwarded-for", "forwarded", "via", "x-real-ip"]) {
      const name = `proxied${header.replaceAll("-", "")}`;
      expect((await make({ username: name, password }, { from: own, headers: { [header]: "127.0.0.1" } })).status).toBe(201);
      const session = await request(own, "POST", "/auth", { body: { username: name, password } });
      expect((await self(own, session.body.token_value)).admin).toBe(false);
    }
    expect((await self(own, (await signUp(own, "first")).token)).admin).toBe(true);
    expect((await self(own, (await signUp(own, "second")).token)).admin).toBe(false);
  });

  test("set: the user of this name, whatever its case, and nobody else", async () => {
    await using own = await startServer({ ADMIN: "Boss" });
    expect((await self(own, (await signUp(own, "first")).token)).admin).toBe(false);
    expect((await self(own, (await signUp(own, "bOSS")).token)).admin).toBe(true);
  });

  test("set: nobody takes the name from elsewhere, whatever its case and whether sign-up is open", async () => {
    for (const [signUpRule, status] of [
      ["open", 403],
      ["closed", 401],
    ] as const) {
      await using own = await startServer({ ADMIN: "Boss", SIGN_UP: signUpRule });
      for (const headers of [{ "x-forwarded-for": "127.0.0.1" }, { via: "1.1 proxy" }, { "x-forwarded-prefix": "/chat" }] as Record<
        string,
        string
      >[]) {
        const refused = await make({ username: "bOSS", password }, { from: own, headers });
        expect([signUpRule, refused.status]).toEqual([signUpRule, status]);
      }
      expect((await request(own, "GET", "/user")).body).toEqual([]);
      expect((await self(own, (await signUp(own, "boss")).token)).admin).toBe(true);
    }
  });
});

describe("SIGN_UP=closed", () => {
  test("only an admin makes users, and the admin is made while there is none", async () => {
    await using own = await startServer({ SIGN_UP: "closed", ADMIN: "boss" });
    const stranger = await make({ username: "eve", password }, { from: own });
    expect(stranger.status).toBe(401);
    expect(stranger.body.error).toBe("Please pass an auth token.");
    const boss = await signUp(own, "Boss");
    const made = await make({ username: "ann", password }, { from: own, token: boss.token });
    expect(made.status).toBe(201);
    const ann = await request(own, "POST", "/auth", { body: { username: "ann", password } });
    expect((await make({ username: "eve", password }, { from: own, token: ann.body.token_value })).status).toBe(403);
    expect((await make({ username: "boss", password }, { from: own })).status).toBe(401);
    expect((await request(own, "GET", "/user")).body).toHaveLength(2);
  });

  test("without ADMIN the first from this machine gets in, one through a proxy does not", async () => {
    await using own = await startServer({ SIGN_UP: "closed" });
    expect((await make({ username: "eve", password }, { from: own, headers: { "x-forwarded-for": "127.0.0.1" } })).status).toBe(401);
    const both = await Promise.all(["one", "two"].map((username) => make({ username, password }, { from: own })));
    expect(both.map(({ status }) => status).sort()).toEqual([201, 401]);
    expect((await make({ username: "three", password }, { from: own })).status).toBe(401);
  });
});

test("forty users made at once are too many", async () => {
  await using busy = await startServer();
  const answers = await Promise.all(Array.from({ length: 60 }, (_, index) => make({ username: `user${index}`, password }, { from: busy })));
  expect(answers.every(({ status }) => status === 201 || status === 429)).toBe(true);
  const refused = answers.filter(({ status }) => status === 429);
  expect(refused.length).toBeGreaterThan(0);
  for (const { headers } of refused) expect(Number(headers.get("retry-after"))).toBeGreaterThan(0);
});
