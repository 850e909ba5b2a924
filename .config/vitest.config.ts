import process from "node:process";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";
import { clientQueries } from "../client/build/vite-plugin.ts";
import { findMissing, type Service, toEnvironment } from "../test/support/services.ts";
import { SuiteTimes } from "../test/support/suite-times.ts";

/** Test files that need a service for all of their tests; other files ask `leftOut` themselves. */
const needs: Readonly<Record<string, readonly Service[]>> = {
  "test/cluster/**": ["postgres", "redis"],
  "test/faults.test.ts": ["postgres"],
  "test/quiet-channel.test.ts": ["postgres"],
  "test/browser/**": ["chromium"],
  "test/docs/examples.test.ts": ["curl", "sqlite3"],
  "test/readme.test.ts": ["curl"],
};

export default defineConfig(async () => {
  const missing = await findMissing();
  if (missing.length > 0) {
    const line = `Left out, because this machine lacks it: what needs ${missing.join(", ")}.`;
    if (process.env["CI"]) throw new Error(line);
    console.log(line);
  }
  const excluded = Object.keys(needs).filter((path) => needs[path]?.some((service) => missing.includes(service)));

  return {
    root: fileURLToPath(new URL("..", import.meta.url)),
    plugins: [clientQueries],
    test: {
      include: ["test/**/*.test.ts"],
      exclude: excluded,
      env: toEnvironment(missing),
      globalSetup: ["test/support/whole-run.ts", "test/support/measured.ts"],
      // The times come first: a run ends with vitest's own summary.
      reporters: [new SuiteTimes(), "default"],
      // And not with its advice.
      experimental: { diagnostics: false },
      pool: "forks",
      // One more than the cores of the smallest machine, because the suites mostly wait.
      maxWorkers: 3,
      testTimeout: 20_000,
      hookTimeout: 30_000,
    },
  };
});
