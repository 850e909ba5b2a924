/** The version before this one: its sources out of git, in a directory of their own. */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { root } from "./copy.ts";

export interface PreviousVersion extends Disposable {
  /** The commit's name, shortened. */
  readonly commit: string;
  readonly directory: string;
}

function git(...args: string[]): string | undefined {
  const { status, stdout } = spawnSync("git", args, { cwd: root, encoding: "utf8" });
  return status === 0 ? stdout.trim() : undefined;
}

/** The commit before the one that is checked out; with changes of its sources that are not committed, that one itself. */
function findPrevious(): string | undefined {
  const changed = git("status", "--porcelain", "--", "src", "server.js");
  if (changed === undefined) return undefined;
  return git("rev-parse", "--short", "--verify", "--quiet", changed === "" ? "HEAD~1^{commit}" : "HEAD^{commit}");
}

/** Undefined where git does not know it: no repository, a first commit, a shallow clone. Packages are shared with this version. */
export function checkOutPrevious(): PreviousVersion | undefined {
  const commit = findPrevious();
  if (commit === undefined) return undefined;
  const directory = mkdtempSync(join(tmpdir(), "keenchat-previous-"));
  const archive = execFileSync("git", ["archive", commit, "--", "server.js", "package.json", "src", "web", "docs"], {
    cwd: root,
    maxBuffer: 64 * 1024 * 1024,
  });
  execFileSync("tar", ["-x", "-C", directory], { input: archive });
  symlinkSync(join(root, "node_modules"), join(directory, "node_modules"));
  return { commit, directory, [Symbol.dispose]: () => rmSync(directory, { recursive: true, force: true }) };
}
