/**
 * The arrows of src/README.md as rules. A module may import what its row names, and nothing else of this repository.
 * @type {import("dependency-cruiser").IConfiguration}
 */

/** A wing of the transports, and the other wings that it may import. */
function wing(name, ...others) {
  return {
    name: `transports-${name}`,
    from: `^src/transports/${name}/`,
    to: [`^src/transports/(${[name, ...others].join("|")})/`, "^src/api\\.ts$", "^src/core/", "^src/config\\.ts$"],
  };
}

/** Each place, and the places it may import. `$1` is the feature a module belongs to. */
const arrows = [
  { name: "server", from: "^src/server\\.ts$", to: ["^src/(keenchat|config)\\.ts$", "^src/core/"] },
  { name: "keenchat", from: "^src/keenchat\\.ts$", to: ["^src/(api|config)\\.ts$", "^src/(core|features|transports|db|bus)/"] },
  { name: "api", from: "^src/api\\.ts$", to: ["^src/core/", "^src/features/"] },
  { name: "config", from: "^src/config\\.ts$", to: [] },
  { name: "core", from: "^src/core/", to: ["^src/core/"] },
  {
    name: "features",
    from: "^src/features/([^/]+)/",
    to: ["^src/core/", "^src/features/$1/", "^src/features/[^/]+/[^/]+\\.(entity|queries)\\.ts$"],
  },
  // The two entry points of the ports; behind them a wing each, in the order in which they may import each other.
  {
    name: "transports",
    from: "^src/transports/[^/]+$",
    to: ["^src/transports/", "^src/api\\.ts$", "^src/core/", "^src/config\\.ts$"],
  },
  wing("calls"),
  wing("http"),
  wing("socket", "http"),
  wing("rest", "calls", "http", "socket"),
  wing("trpc", "calls", "http", "socket"),
  wing("shim", "calls", "http", "socket"),
  wing("pages", "calls", "http", "socket", "rest", "shim"),
  { name: "db", from: "^src/db/", to: ["^src/db/", "^src/features/[^/]+/[^/]+\\.entity\\.ts$", "^src/core/", "^src/config\\.ts$"] },
  { name: "bus", from: "^src/bus/", to: ["^src/bus/", "^src/core/", "^src/config\\.ts$"] },
];

/** The parts of this repository that can be imported; knip checks the packages. */
const ours = "^(src|client|web|docs|test|bench|deploy)/";

export default {
  forbidden: [
    ...arrows.map(({ name, from, to }) => ({
      name: `${name}-imports`,
      severity: "error",
      comment: `src/README.md says what ${name} may import.`,
      from: { path: from },
      to: { path: ours, ...(to.length > 0 && { pathNot: to }) },
    })),
    {
      name: "no-room-without-a-rule",
      severity: "error",
      comment: "A new place in src gets its own row above.",
      from: { path: "^src/", pathNot: arrows.map(({ from }) => from) },
      to: {},
    },
    {
      name: "client-imports",
      severity: "error",
      comment: "The client knows the server's types, from one place.",
      from: { path: "^client/" },
      to: { path: "^(src|web|docs|test|bench|deploy)/", pathNot: "^src/api\\.ts$" },
    },
    {
      name: "client-imports-types-only",
      severity: "error",
      comment: "`import type`, so that nothing of the server is in the package.",
      from: { path: "^client/(src/|[^/]+$)" },
      to: { path: "^src/", dependencyTypesNot: ["type-only"] },
    },
    {
      name: "web-imports",
      severity: "error",
      comment: "The web app is a client like any other.",
      from: { path: "^web/" },
      to: { path: "^(src|test|bench|deploy)/" },
    },
    {
      name: "docs-imports",
      severity: "error",
      comment: "The build of the docs reads the references off the server's definitions.",
      from: { path: "^docs/" },
      to: { path: ours, pathNot: "^(docs|src)/" },
    },
    { name: "no-cycles", severity: "error", from: { path: ours }, to: { circular: true } },
    { name: "no-barrels", severity: "error", comment: "No index.ts in src.", from: {}, to: { path: "^src/.*index[.]ts$" } },
    {
      name: "no-orphans",
      severity: "error",
      from: { orphan: true, path: "^src/", pathNot: ["^src/db/migrations/", "\\.d\\.ts$"] },
      to: {},
    },
  ],
  options: {
    includeOnly: ours,
    exclude: "/(node_modules|dist)/",
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    enhancedResolveOptions: { conditionNames: ["import", "types", "node", "default"], exportsFields: ["exports"] },
  },
};
