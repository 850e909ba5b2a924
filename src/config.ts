/** Owns configuration: the only reader of the environment, and the one place that says what each variable means. */
import { z } from "zod";

/** A configuration that cannot work: the process says so in one line and exits with 78 (EX_CONFIG of sysexits.h). */
export class ConfigError extends Error {
  override name = "ConfigError";
}
export const configExitCode = 78;

const port = (fallback: number, what: string) =>
  z
    .string()
    .regex(/^\d{1,5}$/, "must be a port number from 0 to 65535")
    .transform(Number)
    .pipe(z.number().max(65_535, "must be a port number from 0 to 65535"))
    .default(fallback)
    .describe(`${what} \`0\` = any free port`);

const count = (fallback: number, what: string) =>
  z
    .string()
    .regex(/^[1-9]\d{0,8}$/, "must be a positive whole number")
    .transform(Number)
    .default(fallback)
    .describe(what);

const flag = (fallback: boolean, what: string) =>
  z
    .enum(["true", "false"], "must be true or false")
    .transform((value) => value === "true")
    .default(fallback)
    .describe(what);

const unitMs = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

const duration = z
  .string()
  .regex(/^[1-9]\d{0,6}[smhd]$/, "must be a number with s, m, h or d, like 30d")
  .transform((value) => Number(value.slice(0, -1)) * unitMs[value.slice(-1) as keyof typeof unitMs]);

const list = z.string().transform((value) =>
  value
    .split(",")
    .map((item) => item.trim())
    .filter((item) => item !== ""),
);

export type DatabaseTarget = { kind: "sqlite"; path: string } | { kind: "memory" } | { kind: "postgres"; url: string };

/** Parameters that the client reads, and some that it may leave to the server. Any other could be a part of its own options. */
const postgresParameters: ReadonlySet<string> = new Set([
  ...["application_name", "fallback_application_name", "options", "client_encoding", "target_session_attrs", "channel_binding"],
  ...["host", "port", "user", "password", "connect_timeout", "keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count"],
  ...["ssl", "sslmode", "sslcert", "sslkey", "sslrootcert", "sslnegotiation", "uselibpqcompat", "gssencmode"],
]);
/** Modes that the driver treats as `verify-full`, with a warning of several lines at each start. */
const strictSslMode = /(?<=[?&]sslmode=)(?:prefer|require|verify-ca)(?=&|#|$)/;
const sslModes: ReadonlySet<string> = new Set(["disable", "allow", "prefer", "require", "verify-ca", "verify-full", "no-verify"]);

/** Whether every `%` begins an encoded byte, and none of them is a control character. */
function isPercentEncoded(text: string): boolean {
  try {
    return !/\p{Cc}/u.test(decodeURIComponent(text));
  } catch {
    return false;
  }
}

/** The part of a URL that the drivers cannot read; they would fail with a stack, or at every attempt. */
function wrongPartOf({ username, password, hostname, pathname, search, searchParams }: URL): string | undefined {
  if (![username, password, hostname, pathname, search].every(isPercentEncoded)) return "must be percent-encoded: a % in it is written %25";
  for (const [name, value] of searchParams) {
    if (!postgresParameters.has(name))
      return /^\w+$/.test(name) ? `has a parameter that is not known: ${name}` : "has a parameter that is not known";
    if (name === "sslmode" && !sslModes.has(value)) return `must have an sslmode of ${[...sslModes].join(", ")}`;
    if (name === "port" && !/^\d{1,5}$/.test(value)) return "must have a port that is a number";
  }
  return undefined;
}

const databaseUrl = z.string().transform((value, context): DatabaseTarget => {
  if (/^sqlite:(?!\/\/[^/])/.test(value)) {
    // As the driver reads it, which trims it.
    const path = value.slice("sqlite:".length).trim();
    if (path === ":memory:") return { kind: "memory" };
    if (path !== "") return { kind: "sqlite", path };
  }
  const url = /^postgres(ql)?:\/\//.test(value) ? URL.parse(value) : null;
  if (!url || url.pathname.length < 2 || url.hostname.includes(",")) {
    context.addIssue("must be sqlite:PATH, sqlite::memory: or postgres://USER:PASSWORD@HOST:PORT/DATABASE");
    return z.NEVER;
  }
  const wrong = wrongPartOf(url);
  if (wrong === undefined) {
    const lenient = url.searchParams.get("uselibpqcompat") === "true";
    return { kind: "postgres", url: lenient ? value : value.replace(strictSslMode, "verify-full") };
  }
  context.addIssue(wrong);
  return z.NEVER;
});

/** Whether the client can read it: otherwise every attempt would fail, for ever. */
function isRedisUrl(value: string): boolean {
  const url = /^rediss?:\/\//.test(value) && URL.parse(value);
  if (!url || !/^\/?\d{0,9}$/.test(url.pathname)) return false;
  return isPercentEncoded(url.username) && isPercentEncoded(url.password);
}

/** Whether a browser or an app can send it as `Origin`: it is compared as text, whatever its scheme. */
function isOrigin(value: string): boolean {
  if (!/^[a-z][a-z0-9+.-]*:\/\/[^\s/?#*@]+$/.test(value)) return false;
  return !/^https?:/.test(value) || URL.parse(value)?.origin === value;
}

const origin = z
  .string()
  .refine((value) => value === "*" || isOrigin(value), "must be * or a list of whole origins like https://chat.example or app://chat");

/** The URL of the server for its clients: no user, query or fragment, and a path to which other paths can be appended. */
const publicUrl = z
  .string()
  .refine(
    (value) => /^https?:\/\/[^/?#@\s]+(?:\/[^/?#\s]+)*\/?$/.test(value) && URL.canParse(value),
    "must be an URL like https://chat.example or https://example.com/chat",
  )
  .transform((value) => new URL(value).href.replace(/\/$/, ""));

/** Every variable, its default and what it does; the README's table is checked against this. */
export const variables = z.object({
  PORT: port(5000, "REST, tRPC over HTTP, OpenAPI, SSE; WebSocket upgrades are served here too."),
  WEBSOCKETS_PORT: port(5001, "Everything WebSocket."),
  HOST: z.string().min(1).optional().describe("The address to listen on. Unset: all interfaces."),
  DATABASE_URL: databaseUrl
    .default({ kind: "sqlite", path: "data/keenchat.db" })
    .describe("`sqlite:PATH`, `sqlite::memory:` or `postgres://…`."),
  REDIS_URL: z
    .string()
    .refine(
      isRedisUrl,
      "must be redis://HOST:PORT or rediss://HOST:PORT, where needed with a percent-encoded USER:PASSWORD@ and a database's /NUMBER",
    )
    .optional()
    .describe("Connects several nodes: it carries new positions, presence, typing, and the number of sockets of each address."),
  AUTH_SECRET: z
    .string()
    .refine((value) => Buffer.byteLength(value) >= 32, "must be at least 32 bytes long")
    .optional()
    .describe("The key that signs tokens, at least 32 bytes. Unset: created at the first start and kept in the database."),
  TOKEN_TTL: duration.default(30 * unitMs.d).describe("How long a token is valid: a number with `s`, `m`, `h` or `d`."),
  ADMIN: z
    .string()
    .regex(/^[A-Za-z][A-Za-z0-9_-]{1,63}$/, "must be a username")
    .optional()
    .describe(
      "The user with this name, in upper or lower case, is the admin. Only a request from this machine can create it. Unset: the first user created from this machine is the admin.",
    ),
  SIGN_UP: z
    .enum(["open", "closed"], "must be open or closed")
    .default("open")
    .describe("`closed`: only an admin can create users (plus the first admin)."),
  ANONYMOUS_READ: flag(true, "`false`: every read needs a token."),
  CORS_ORIGINS: list
    .pipe(z.array(origin).min(1, "must be * or a list of origins"))
    .default(["*"])
    .describe("`*`, or a list of origins; a list is also checked on WebSocket upgrades."),
  TRUSTED_PROXIES: list
    .pipe(z.array(z.union([z.ipv4(), z.ipv6(), z.cidrv4(), z.cidrv6()], "must be a list of addresses")))
    .default([])
    .describe("Proxies whose `X-Forwarded-For` is trusted: addresses or networks."),
  METRICS_TOKEN: z
    .string()
    .regex(/^[!-~]+$/, "must be printable ASCII without spaces")
    .optional()
    .describe("`/metrics` requires this as a Bearer token. Unset: it answers only this machine."),
  PUBLIC_URL: publicUrl
    .optional()
    .describe(
      "The URL of this server for its clients; all links begin with it. If it has a path, a proxy must remove it from each request. Unset: `http://localhost:PORT`.",
    ),
  LOG_LEVEL: z
    .enum(["fatal", "error", "warn", "info", "debug", "trace", "silent"], "must be fatal, error, warn, info, debug, trace or silent")
    .default("info")
    .describe("`fatal` to `trace`, or `silent`."),
  MAX_SOCKETS_PER_ADDRESS: count(1_000, "Open WebSockets and event streams from one address."),
  MAX_SUBSCRIPTIONS_PER_SOCKET: count(50, "Open tRPC subscriptions on one socket."),
  MAX_CALLS_PER_SOCKET: count(16, "tRPC calls that run at once on one socket; further calls wait."),
  MAX_FRAMES_PER_SECOND: count(200, "Frames that a client may send; more than this for 5 s closes the socket with 1008."),
});

export type Config = ReturnType<typeof toConfig>;

function toConfig(env: z.output<typeof variables>) {
  return {
    port: env.PORT,
    websocketsPort: env.WEBSOCKETS_PORT,
    host: env.HOST,
    database: env.DATABASE_URL,
    redisUrl: env.REDIS_URL,
    authSecret: env.AUTH_SECRET,
    rules: { admin: env.ADMIN, signUp: env.SIGN_UP, anonymousRead: env.ANONYMOUS_READ, tokenTtlMs: env.TOKEN_TTL },
    corsOrigins: env.CORS_ORIGINS,
    trustedProxies: env.TRUSTED_PROXIES,
    metricsToken: env.METRICS_TOKEN,
    publicUrl: env.PUBLIC_URL,
    pathPrefix: env.PUBLIC_URL === undefined ? "" : new URL(env.PUBLIC_URL).pathname.replace(/\/$/, ""),
    logLevel: env.LOG_LEVEL,
    limits: {
      socketsPerAddress: env.MAX_SOCKETS_PER_ADDRESS,
      subscriptionsPerSocket: env.MAX_SUBSCRIPTIONS_PER_SOCKET,
      callsPerSocket: env.MAX_CALLS_PER_SOCKET,
      framesPerSecond: env.MAX_FRAMES_PER_SECOND,
    },
  };
}

/**
 * Reads the configuration from environment variables; an empty one counts as unset.
 * @throws ConfigError naming the variable that is wrong.
 */
export function readConfig(environment: Readonly<Record<string, string | undefined>>): Config {
  const given = Object.fromEntries(Object.keys(variables.shape).flatMap((name) => (environment[name] ? [[name, environment[name]]] : [])));
  const result = variables.safeParse(given);
  if (!result.success) {
    throw new ConfigError(result.error.issues.map((issue) => `${String(issue.path[0])} ${issue.message}`).join("; "));
  }
  const config = toConfig(result.data);
  if (config.port !== 0 && config.port === config.websocketsPort) throw new ConfigError("WEBSOCKETS_PORT must differ from PORT");
  return config;
}
