/** For MikroORM's own command line: `npm run migrate`, `npx mikro-orm migration:create`. */
import { readConfig } from "./src/config.ts";
import { sqliteOptions } from "./src/db/options.ts";

const { database } = readConfig(process.env);

export default sqliteOptions(database.kind === "sqlite" ? database.path : ":memory:");
