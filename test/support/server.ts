/** A real server on free ports of loopback, with a database of its own, for tests that talk to it over the wire. */
import { pino } from "pino";
import { readConfig } from "../../src/config.ts";
import { type Keenchat, type Overrides, startKeenchat } from "../../src/keenchat.ts";
import { busOfThisRun, createDatabase } from "./database.ts";

export interface TestServer extends Keenchat {
  /** The database, for a second start on the same data. */
  readonly databaseUrl: string;
  /** Everything the server logged, a line each. */
  readonly logged: string[];
  [Symbol.asyncDispose](): Promise<void>;
}

/** Starts a server; `environment` adds to what every test server has. */
export async function startServer(environment: Record<string, string> = {}, overrides: Overrides = {}): Promise<TestServer> {
  const own = environment["DATABASE_URL"] ? undefined : await createDatabase();
  const databaseUrl = environment["DATABASE_URL"] ?? own?.url ?? "";
  const logged: string[] = [];
  const logger = pino({ level: "trace" }, { write: (line: string) => void logged.push(line) });
  const config = readConfig({
    HOST: "127.0.0.1",
    PORT: "0",
    WEBSOCKETS_PORT: "0",
    ...busOfThisRun,
    ...environment,
    DATABASE_URL: databaseUrl,
  });
  const keenchat = await startKeenchat(config, logger, overrides).catch(async (error: unknown) => {
    await own?.drop();
    throw error;
  });
  let closed: Promise<void> | undefined;
  const close = () => {
    closed ??= keenchat.close().finally(() => own?.drop());
    return closed;
  };
  return { ...keenchat, databaseUrl, logged, close, [Symbol.asyncDispose]: close };
}
