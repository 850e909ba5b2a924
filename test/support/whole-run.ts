/** What only a whole run can tell: whether every documented status of every operation was seen. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";

export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const directory = mkdtempSync(join(tmpdir(), "keenchat-seen-"));
  process.env["KEENCHAT_TEST_SEEN"] = directory;
  return async () => {
    try {
      if (await ranWhole(project)) await requireAllSeen(directory);
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  };
}

/** Whether every test file ran, and every test in it, to a good end: a failed test has a cause of its own to tell. */
async function ranWhole(project: TestProject): Promise<boolean> {
  const { testFiles } = await project.globTestFiles();
  const files = project.vitest.state.getFiles();
  const isWhole = files.length === testFiles.length && !project.config.testNamePattern;
  // Files that leave themselves out on this machine are "skip".
  return isWhole && files.every(({ result }) => result?.state === "pass" || result?.state === "skip");
}

async function requireAllSeen(directory: string): Promise<void> {
  const { unseen } = await import("./openapi.ts");
  const missing = unseen(directory);
  if (missing.length > 0) throw new Error(`The OpenAPI document promises what no test has seen: ${missing.join(", ")}`);
}
