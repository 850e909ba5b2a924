/** Owns what Vite needs to build from the client's sources: the list of queries that the package has written out. */
import { execFileSync } from "node:child_process";
import { delimiter } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

const printer = fileURLToPath(new URL("queries.ts", import.meta.url));
/** The Node that the server's sources are for comes with its packages. */
const binaries = fileURLToPath(new URL("../../node_modules/.bin", import.meta.url));

export const clientQueries = {
  name: "client-queries",
  load(id: string): string | undefined {
    if (!id.endsWith("/client/src/queries.ts")) return undefined;
    const env = { ...process.env, PATH: `${binaries}${delimiter}${process.env["PATH"]}` };
    return execFileSync("node", [printer], { encoding: "utf8", env });
  },
};
