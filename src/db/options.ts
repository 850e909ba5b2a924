/** Owns how MikroORM is set up for each kind of database; the server and the ORM's command line share it. */
import { fileURLToPath } from "node:url";
import { Migrator } from "@mikro-orm/migrations";
import { defineConfig as definePostgres } from "@mikro-orm/postgresql";
import { defineConfig } from "@mikro-orm/sqlite";
import { entities } from "./entities.ts";

function migrations(dialect: string) {
  const path = fileURLToPath(new URL(`./migrations/${dialect}`, import.meta.url));
  return { path, pathTs: path, glob: "*.ts", emit: "ts" as const, snapshot: false, tableName: "migration", silent: true };
}

/** What the counter row numbers, and no sequence. SQLite has one kind of numbered key only, whoever gives the numbers. */
const fromCounter: Readonly<Record<string, string>> = { event: "seq", message: "id" };

/** Options for the SQLite database in the file `path`. */
export function sqliteOptions(path: string) {
  return defineConfig({
    dbName: path,
    entities,
    extensions: [Migrator],
    migrations: migrations("sqlite"),
    // The file is this process's own; a wait for a lock would stop every request.
    driverOptions: { timeout: 100 },
    ensureDatabase: false,
  });
}

/** Options for the PostgreSQL database at `url`. Its own connections carry migrations alone. */
export function postgresOptions(url: string) {
  return definePostgres({
    clientUrl: url,
    entities,
    extensions: [Migrator],
    migrations: migrations("postgres"),
    pool: { min: 0, max: 2 },
    discovery: {
      onMetadata({ tableName, properties }) {
        const property = properties[fromCounter[tableName] ?? ""];
        if (property) property.autoincrement = false;
      },
    },
    ensureDatabase: false,
  });
}
