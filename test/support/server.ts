/** A real server on free ports of loopback, with a database of its own, for tests that talk to it over the wire. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { readConfig } from "../../src/config.ts";
import { type Keenchat, type Overrides, startKeenchat } from "../../src/keenchat.ts";

export interface TestServer extends Keenchat {
  /** The database file, for a second start on the same data. */
  readonly databaseUrl: string;
  /** Everything the server logged, a line each. */
  readonly logged: string[];
  [Symbol.asyncDispose](): Promise<void>;
}

/** Starts a server; `environment` adds to what every test server has. */
export async function startServer(environment: Record<string, string> = {}, overrides: Overrides = {}): Promise<TestServer> {
  const directory = environment["DATABASE_URL"] ? undefined : mkdtempSync(join(tmpdir(), "keenchat-test-"));
  const databaseUrl = environment["DATABASE_URL"] ?? `sqlite:${join(directory ?? "", "keenchat.db")}`;
  const logged: string[] = [];
  const logger = pino({ level: "trace" }, { write: (line: string) => void logged.push(line) });
  const config = readConfig({ HOST: "127.0.0.1", PORT: "0", WEBSOCKETS_PORT: "0", ...environment, DATABASE_URL: databaseUrl });
  const keenchat = await startKeenchat(config, { logger, ...overrides });
  let closed: Promise<void> | undefined;
  const close = () => {
    closed ??= keenchat.close().finally(() => directory && rmSync(directory, { recursive: true, force: true }));
    return closed;
  };
  return { ...keenchat, databaseUrl, logged, close, [Symbol.asyncDispose]: close };
}
