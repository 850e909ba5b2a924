/** Owns how MikroORM is set up for each kind of database; the server and the ORM's command line share it. */
import { readdirSync } from "node:fs";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import { EntityCaseNamingStrategy, raw } from "@mikro-orm/core";
import { Migrator } from "@mikro-orm/migrations";
import { defineConfig as definePostgres } from "@mikro-orm/postgresql";
import { defineConfig } from "@mikro-orm/sqlite";
import { visibleWhere } from "../core/visible.ts";
import { entities } from "./entities.ts";

function migrations(dialect: string) {
  const path = fileURLToPath(new URL(`./migrations/${dialect}`, import.meta.url));
  return { path, pathTs: path, glob: "*.ts", emit: "ts" as const, snapshot: false, tableName: "migration", silent: true };
}

/** Names of the migrations that make an SQLite file one of this version, as its own table lists them. */
export function sqliteMigrations(): string[] {
  return readdirSync(migrations("sqlite").path)
    .map((file) => basename(file, ".ts"))
    .sort();
}

/** The ORM finds and changes what anybody may see. */
const visibleRows = Object.fromEntries(
  entities.flatMap(({ meta: { className, tableName } }) => {
    const where = visibleWhere(tableName);
    return where ? [[`visible ${tableName}`, { entity: [className], cond: () => ({ [raw(where)]: [] }), default: true }]] : [];
  }),
);

const tables = {
  // The command line loads migrations as this process does. Its own way takes their default export, and they have none.
  dynamicImportProvider: (id: string) => import(id),
  entities,
  // Rows have the names of the wire, from the database to the client.
  namingStrategy: EntityCaseNamingStrategy,
  filters: visibleRows,
  // Without this the table of a foreign key would be joined for its filter.
  autoJoinRefsForFilters: false,
};

/** What the counter row numbers, and no sequence. SQLite has only one kind of numbered key, even if the numbers are given. */
const fromCounter: Readonly<Record<string, string>> = { event: "seq", message: "id" };

/** Options for the SQLite database in the file `path`. */
export function sqliteOptions(path: string) {
  return defineConfig({
    dbName: path,
    ...tables,
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
    ...tables,
    extensions: [Migrator],
    migrations: migrations("postgres"),
    pool: { min: 0, max: 2 },
    // Without it the pool waits for a silent server's greeting until the system's own timeout.
    driverOptions: { connectionTimeoutMillis: 2_000 },
    discovery: {
      onMetadata({ tableName, properties }) {
        const property = properties[fromCounter[tableName] ?? ""];
        if (property) property.autoincrement = false;
      },
    },
    ensureDatabase: false,
  });
}
