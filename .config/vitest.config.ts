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

export default defineConfig(async () => {
  const servers = { postgres: 5432, redis: 6379 };
  const found = await Promise.all(Object.values(servers).map(listens));
  const leftOut = Object.keys(servers).filter((_, index) => !found[index]);
  if (leftOut.length > 0) console.log(`Left out, because nothing listens at its port: what needs ${leftOut.join(" and ")}.`);

  return {
    root: fileURLToPath(new URL("..", import.meta.url)),
    test: {
      include: ["test/**/*.test.ts"],
      exclude: leftOut.length > 0 ? ["test/cluster/**"] : [],
      env: { KEENCHAT_TEST_LEFT_OUT: leftOut.join(",") },
      globalSetup: ["test/support/whole-run.ts"],
      pool: "forks",
      maxWorkers: 2,
      testTimeout: 20_000,
      hookTimeout: 30_000,
    },
  };
});
