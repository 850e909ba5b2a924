/** For MikroORM's own command line: `npm run migrate`, `npx mikro-orm migration:create --config mikro-orm.config.ts`. */
import { mkdirSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { readConfig } from "./src/config.ts";
import { postgresOptions, sqliteOptions } from "./src/db/options.ts";

const { database } = readConfig(process.env);
if (database.kind === "sqlite") mkdirSync(dirname(resolve(database.path)), { recursive: true });

export default database.kind === "postgres"
  ? postgresOptions(database.url)
  : sqliteOptions(database.kind === "sqlite" ? database.path : ":memory:");
