import { existsSync } from "node:fs";
import { connect } from "node:net";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

/** Whether something listens where a server usually does. */
function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: "127.0.0.1", timeout: 1_000 });
    const answer = (found: boolean) => {
      socket.destroy();
      resolve(found);
    };
    socket.once("connect", () => answer(true));
    socket.once("error", () => answer(false));
    socket.once("timeout", () => answer(false));
  });
}

/** The same as test/support/browser.ts looks for. */
const browserPath = process.env["CHROMIUM"] ?? "/usr/bin/chromium";

export default defineConfig(async () => {
  const servers = { postgres: 5432, redis: 6379 };
  const found = await Promise.all(Object.values(servers).map(listens));
  const leftOut = Object.keys(servers).filter((_, index) => !found[index]);
  if (leftOut.length > 0) console.log(`Left out, because nothing listens at its port: what needs ${leftOut.join(" and ")}.`);
  const hasBrowser = existsSync(browserPath);
  if (!hasBrowser) console.log(`Left out, because there is no Chromium at ${browserPath}: test/browser. CHROMIUM names another place.`);
  if (!hasBrowser && process.env["CI"]) throw new Error("A full run needs Chromium.");

  return {
    root: fileURLToPath(new URL("..", import.meta.url)),
    test: {
      include: ["test/**/*.test.ts"],
      exclude: [...(leftOut.length > 0 ? ["test/cluster/**"] : []), ...(hasBrowser ? [] : ["test/browser/**"])],
      env: { KEENCHAT_TEST_LEFT_OUT: leftOut.join(",") },
      globalSetup: ["test/support/whole-run.ts"],
      pool: "forks",
      maxWorkers: 2,
      testTimeout: 20_000,
      hookTimeout: 30_000,
    },
  };
});
