/** What each variable of the environment means, and how a wrong one says so. */
import { createClient } from "@redis/client";
import { describe, expect, test } from "vitest";
import { ConfigError, readConfig, variables } from "../src/config.ts";

test("an empty environment gives the documented defaults", () => {
  expect(readConfig({})).toEqual({
    port: 5000,
    websocketsPort: 5001,
    host: undefined,
    database: { kind: "sqlite", path: "data/keenchat.db" },
    authSecret: undefined,
    rules: { admin: undefined, signUp: "open", anonymousRead: true, tokenTtlMs: 30 * 86_400_000 },
    corsOrigins: ["*"],
    trustedProxies: [],
    metricsToken: undefined,
    publicUrl: undefined,
    pathPrefix: "",
    logLevel: "info",
    limits: { socketsPerAddress: 1_000, subscriptionsPerSocket: 50, callsPerSocket: 16, framesPerSecond: 200 },
  });
});

test("an empty variable counts as unset", () => {
  const empty = Object.fromEntries(Object.keys(variables.shape).map((name) => [name, ""]));
  expect(readConfig(empty)).toEqual(readConfig({}));
});

test("a variable that is not ours is not looked at", () => {
  expect(readConfig({ DATABASE: "x", PORTS: "-1" })).toEqual(readConfig({}));
});

test.each([
  ["90s", 90_000],
  ["15m", 900_000],
  ["12h", 43_200_000],
  ["30d", 2_592_000_000],
])("TOKEN_TTL %s is %d ms", (value, tokenTtlMs) => {
  expect(readConfig({ TOKEN_TTL: value }).rules.tokenTtlMs).toBe(tokenTtlMs);
});

test.each([
  ["sqlite::memory:", { kind: "memory" }],
  ["sqlite: :memory: ", { kind: "memory" }],
  ["sqlite:chat.db", { kind: "sqlite", path: "chat.db" }],
  ["sqlite: chat.db ", { kind: "sqlite", path: "chat.db" }],
  [
    "postgres://app:100%25sure@db/chat?sslmode=verify-full",
    { kind: "postgres", url: "postgres://app:100%25sure@db/chat?sslmode=verify-full" },
  ],
  // The driver means the same, and warns of it.
  ["postgres://db/chat?sslmode=require", { kind: "postgres", url: "postgres://db/chat?sslmode=verify-full" }],
  ["postgres://db/chat?port=1&sslmode=prefer&ssl=1", { kind: "postgres", url: "postgres://db/chat?port=1&sslmode=verify-full&ssl=1" }],
  [
    "postgres://db/chat?sslmode=require&uselibpqcompat=true",
    { kind: "postgres", url: "postgres://db/chat?sslmode=require&uselibpqcompat=true" },
  ],
  ["sqlite:./data/chat.db", { kind: "sqlite", path: "./data/chat.db" }],
  ["sqlite:/var/lib/keenchat.db", { kind: "sqlite", path: "/var/lib/keenchat.db" }],
])("DATABASE_URL %s is understood", (value, database) => {
  expect(readConfig({ DATABASE_URL: value }).database).toEqual(database);
});

test.each([
  "redis://localhost",
  "redis://localhost/",
  "rediss://user@[::1]:6380/15",
  "redis://:p%40ss%25@localhost:6379/0",
  "redis://%C3%A4:%E2%82%AC@localhost",
])("REDIS_URL %s is understood, by us and by the client", (value) => {
  expect(readConfig({ REDIS_URL: value }).redisUrl).toBe(value);
  expect(() => createClient({ url: value })).not.toThrow();
});

test("lists are split at commas, and white space around their items is no part of them", () => {
  const config = readConfig({ CORS_ORIGINS: "https://a.example, http://b.example:8080", TRUSTED_PROXIES: "10.0.0.1 , 10.1.0.0/16, ::1" });
  expect(config.corsOrigins).toEqual(["https://a.example", "http://b.example:8080"]);
  expect(config.trustedProxies).toEqual(["10.0.0.1", "10.1.0.0/16", "::1"]);
});

test.each([
  ["https://chat.example", "https://chat.example", ""],
  ["https://chat.example/", "https://chat.example", ""],
  ["http://example.com:8080/chat/", "http://example.com:8080/chat", "/chat"],
  ["https://EXAMPLE.com/a/b c".replace(" ", "%20"), "https://example.com/a/b%20c", "/a/b%20c"],
  ["https://example.com/größe", "https://example.com/gr%C3%B6%C3%9Fe", "/gr%C3%B6%C3%9Fe"],
  ["http://[::1]:5000/chat", "http://[::1]:5000/chat", "/chat"],
])("PUBLIC_URL %s is %s, with the prefix %s", (value, publicUrl, pathPrefix) => {
  expect(readConfig({ PUBLIC_URL: value })).toMatchObject({ publicUrl, pathPrefix });
});

test("origins of apps are origins too", () => {
  const origins = [
    "capacitor://localhost",
    "tauri://localhost",
    "app://x",
    "ionic://localhost",
    "http://tauri.localhost",
    "chrome-extension://abcdef",
  ];
  expect(readConfig({ CORS_ORIGINS: origins.join(",") }).corsOrigins).toEqual(origins);
});

test("the two ports may both be any free one", () => {
  expect(readConfig({ PORT: "0", WEBSOCKETS_PORT: "0" })).toMatchObject({ port: 0, websocketsPort: 0 });
});

/** Values that cannot work. Each variable with a form of its own is in here; src/config.ts says what each wants. */
const wrong: readonly (readonly [string, string])[] = [
  ["PORT", "65536"],
  ["PORT", "-1"],
  ["PORT", "5000.5"],
  ["PORT", "0x10"],
  ["PORT", " 80"],
  ["PORT", "http"],
  ["WEBSOCKETS_PORT", "99999"],
  ["WEBSOCKETS_PORT", "5000"],
  ["DATABASE_URL", "data/keenchat.db"],
  ["DATABASE_URL", "sqlite:"],
  ["DATABASE_URL", "sqlite: "],
  ["DATABASE_URL", "postgres://app:100%sure@127.0.0.1/chat"],
  ["DATABASE_URL", "postgres://a%pp:secret@127.0.0.1/chat"],
  ["DATABASE_URL", "postgres://app:secret@127.0.0.1/ch%at"],
  ["DATABASE_URL", "postgres://app:secret@127.0.0.1/chat%00"],
  ["DATABASE_URL", "postgres://one,other/chat"],
  ["DATABASE_URL", "postgres://127.0.0.1/chat?sslmode=maybe"],
  ["DATABASE_URL", "postgres://127.0.0.1/chat?port=five"],
  ["DATABASE_URL", "postgres://127.0.0.1/chat?types=1"],
  ["DATABASE_URL", "postgres://127.0.0.1/chat?application_name=%zz"],
  ["DATABASE_URL", "mysql://localhost/chat"],
  ["DATABASE_URL", "postgres://localhost:port/chat"],
  ["REDIS_URL", "localhost:6379"],
  ["REDIS_URL", "redis://localhost:port"],
  ["REDIS_URL", "redis://localhost/abc"],
  ["REDIS_URL", "redis://localhost/1.5"],
  ["REDIS_URL", "redis://localhost/99999999999"],
  ["REDIS_URL", "redis://:pa%ss@localhost"],
  ["REDIS_URL", "redis://us%er:password@localhost"],
  ["AUTH_SECRET", "x".repeat(31)],
  ["TOKEN_TTL", "30"],
  ["TOKEN_TTL", "0d"],
  ["TOKEN_TTL", "1.5h"],
  ["TOKEN_TTL", "-1d"],
  ["TOKEN_TTL", "30 d"],
  ["DATABASE_URL", "postgres://"],
  ["DATABASE_URL", "postgres://127.0.0.1:5432"],
  ["DATABASE_URL", "postgres://postgres@127.0.0.1:5432/"],
  ["TOKEN_TTL", "1w"],
  ["ADMIN", "a"],
  ["ADMIN", "no spaces"],
  ["SIGN_UP", "maybe"],
  ["SIGN_UP", "CLOSED"],
  ["ANONYMOUS_READ", "yes"],
  ["ANONYMOUS_READ", "1"],
  ["CORS_ORIGINS", ","],
  ["CORS_ORIGINS", "chat.example"],
  ["CORS_ORIGINS", "https://chat.example/"],
  ["CORS_ORIGINS", "https://*.chat.example"],
  ["CORS_ORIGINS", "https://a.example,https://chat.example:*"],
  ["CORS_ORIGINS", "capacitor://*"],
  ["CORS_ORIGINS", "capacitor://localhost/"],
  ["CORS_ORIGINS", "https://chat.example:443"],
  ["CORS_ORIGINS", "null"],
  ["TRUSTED_PROXIES", "proxy.example"],
  ["TRUSTED_PROXIES", "10.0.0.0/33"],
  ["PUBLIC_URL", "chat.example"],
  ["PUBLIC_URL", "/chat"],
  ["PUBLIC_URL", "ftp://chat.example"],
  ["PUBLIC_URL", "https://chat.example/?a=b"],
  ["PUBLIC_URL", "https://chat.example/#a"],
  ["PUBLIC_URL", "https://ann:secret@chat.example"],
  ["PUBLIC_URL", "https://chat.example//evil"],
  ["PUBLIC_URL", "https:///chat"],
  ["PUBLIC_URL", "https://a b"],
  ["LOG_LEVEL", "verbose"],
  ["MAX_SOCKETS_PER_ADDRESS", "0"],
  ["MAX_SUBSCRIPTIONS_PER_SOCKET", "-5"],
  ["MAX_CALLS_PER_SOCKET", "many"],
  ["MAX_FRAMES_PER_SECOND", "1e3"],
  ["METRICS_TOKEN", "two words"],
];

describe("a value that cannot work", () => {
  test.each(wrong)("%s=%s is refused by its name, in one line", (name, value) => {
    const read = () => readConfig({ [name]: value });
    expect(read).toThrow(ConfigError);
    expect(read).toThrow(new RegExp(`^${name} [^\n]+$`));
  });

  test("is told of together with every other one", () => {
    expect(() => readConfig({ PORT: "x", SIGN_UP: "x" })).toThrow(/PORT .*; SIGN_UP /);
  });

  test("is never repeated where it may be a secret", () => {
    expect(() => readConfig({ AUTH_SECRET: "hunter2" })).toThrow(/^(?!.*hunter2)/s);
    expect(() => readConfig({ DATABASE_URL: "postgres://app:hunter2%@127.0.0.1/chat" })).toThrow(/^(?!.*hunter2)/s);
    expect(() => readConfig({ REDIS_URL: "redis://:hunter2%@localhost" })).toThrow(/^(?!.*hunter2)/s);
  });

  test("is tried above for every variable that has a form", () => {
    const free = new Set(["HOST"]);
    expect(new Set(wrong.map(([name]) => name))).toEqual(new Set(Object.keys(variables.shape).filter((name) => !free.has(name))));
  });
});
