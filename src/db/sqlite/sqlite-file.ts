/** Owns which file a path means, and that one process at a time has it open, by whatever name. */
import { closeSync, existsSync, mkdirSync, openSync, realpathSync, statSync } from "node:fs";
import { dirname } from "node:path";
import BetterSqlite, { type Database as Handle } from "better-sqlite3";
import { ConfigError } from "../../config.ts";
import { refuseForeignLog } from "./sqlite-log.ts";

/** A process that was just told to stop may have it for a moment. */
const lockMs = 500;

const isOpenElsewhere = (path: string, cause: unknown) =>
  new ConfigError(`DATABASE_URL names a file that another Keenchat process has open: ${path}`, { cause });

const isBusy = (error: unknown) => (error as { code?: unknown }).code === "SQLITE_BUSY";

/** The one name of the file, made empty where it is missing: only then can a link to it be followed. */
function toRealPath(path: string): string {
  mkdirSync(dirname(path), { recursive: true });
  // Not where it is there: to close it would end the locks that this process may have on it.
  if (!existsSync(path)) closeSync(openSync(path, "a", 0o644));
  const file = realpathSync.native(path);
  // The driver trims names, and would open another file.
  if (file !== file.trim()) throw new ConfigError(`DATABASE_URL names a file whose name begins or ends with white space: ${file}`);
  return file;
}

/** Keeps a second process away from the same file. The handle must stay referenced: collected, it lets go of the lock. */
function lock(file: string): Handle {
  const handle = new BetterSqlite(`${file}.lock`, { timeout: lockMs });
  try {
    handle.exec("begin exclusive");
    return handle;
  } catch (error) {
    handle.close();
    throw isBusy(error) ? isOpenElsewhere(file, error) : error;
  }
}

/**
 * A lock that has a name does not keep out those who open the same file by another name, of a hard link or a mount: their log of
 * changes has another name too. SQLite's own lock on the file's content does. By the same name it may be a tool that makes a backup.
 */
function refuseOtherNames(file: string): void {
  const { nlink, size } = statSync(file);
  if (size === 0 || (nlink === 1 && existsSync(`${file}-shm`))) return;
  const handle = new BetterSqlite(file, { timeout: lockMs });
  try {
    handle.pragma("locking_mode = exclusive");
    handle.exec("begin exclusive; rollback");
  } catch (error) {
    // Anything else is told when it is opened.
    if (isBusy(error)) throw isOpenElsewhere(file, error);
  } finally {
    handle.close();
  }
}

/**
 * Finds the file, makes it where it is missing, and locks it until the handle is closed.
 * @throws ConfigError when another process has it, or it cannot be opened.
 */
export function holdSqliteFile(path: string): { file: string; held: Handle } {
  try {
    const file = toRealPath(path);
    const held = lock(file);
    try {
      refuseForeignLog(file);
      refuseOtherNames(file);
    } catch (error) {
      held.close();
      throw error;
    }
    return { file, held };
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    throw new ConfigError(`DATABASE_URL names a file that cannot be opened: ${(error as Error).message}`, { cause: error });
  }
}
