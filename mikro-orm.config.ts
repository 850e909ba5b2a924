/** For MikroORM's own command line: `npm run migrate`, `npx mikro-orm migration:create`. */
import process from "node:process";
import { ConfigError, configExitCode, readConfig } from "./src/config.ts";
import { postgresOptions, sqliteOptions } from "./src/db/options.ts";
import { holdSqliteFile } from "./src/db/sqlite/sqlite-file.ts";

/** Keeps the file locked until the process ends. */
let held: ReturnType<typeof holdSqliteFile> | undefined;

function readOptions() {
  const { database } = readConfig(process.env);
  if (database.kind === "postgres") return postgresOptions(database.url);
  if (database.kind === "memory") return sqliteOptions(":memory:");
  held = holdSqliteFile(database.path);
  return sqliteOptions(held.file);
}

function readOptionsOrEnd() {
  try {
    return readOptions();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exit(configExitCode);
  }
}

export default readOptionsOrEnd();
