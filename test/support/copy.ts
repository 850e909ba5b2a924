/** A copy of this repository in its own directory, to be broken on purpose. */
import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("../..", import.meta.url));

export interface RepositoryCopy extends Disposable {
  readonly path: string;
  write(file: string, content: string): void;
  /** Runs one of package.json's scripts. */
  run(script: string): { status: number | null; output: string };
}

/** Copies the files that git tracks or would add; packages are shared with the original. */
export function copyRepository(): RepositoryCopy {
  const path = mkdtempSync(join(tmpdir(), "keenchat-copy-"));
  const listed = execFileSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], { cwd: root, encoding: "utf8" });
  for (const file of listed.split("\0")) {
    if (file !== "" && existsSync(join(root, file))) cpSync(join(root, file), join(path, file));
  }
  symlinkSync(join(root, "node_modules"), join(path, "node_modules"));
  return {
    path,
    write(file, content) {
      mkdirSync(dirname(join(path, file)), { recursive: true });
      writeFileSync(join(path, file), content);
    },
    run(script) {
      const { status, stdout, stderr } = spawnSync("npm", ["run", "--silent", script], { cwd: path, encoding: "utf8" });
      return { status, output: stdout + stderr };
    },
    [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }),
  };
}
