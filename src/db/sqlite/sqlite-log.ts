/**
 * Owns SQLite's log of changes, the file `-wal`: when it is written back into the database's file, so that it stays small, and whether
 * it belongs to that file. SQLite itself does not ask: it would write what it finds into a backup that was put in its place.
 */
import { type BigIntStats, existsSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import type { Database as Handle } from "better-sqlite3";
import { ConfigError } from "../../config.ts";

/** SQLite's own measure. */
const maxBytes = 4 * 1024 * 1024;
const againMs = 1_000;
/** How often the file is looked at: a tool that copies the log away, or a shell, also writes changes back. */
const lookMs = 1_000;

const stat = (path: string): BigIntStats | undefined => statSync(path, { bigint: true, throwIfNoEntry: false });
const noteOf = (file: string) => `${file}.checkpoint`;

/** The file as the last checkpoint left it. */
interface Note {
  readonly ino: string;
  readonly mtime: string;
  readonly ctime: string;
  /** The inode of the log: another one where both were moved together. */
  readonly log: string;
}

function describe(file: string): Note | undefined {
  const [database, log] = [stat(file), stat(`${file}-wal`)];
  if (!database || !log) return undefined;
  return { ino: `${database.ino}`, mtime: `${database.mtimeNs}`, ctime: `${database.ctimeNs}`, log: `${log.ino}` };
}

function readNote(file: string): Note | undefined {
  try {
    return JSON.parse(readFileSync(noteOf(file), "utf8")) as Note;
  } catch {
    return undefined;
  }
}

/** @throws ConfigError where a crash has left a log, and the file has been replaced since. */
export function refuseForeignLog(file: string): void {
  const [then, now, log] = [readNote(file), describe(file), stat(`${file}-wal`)];
  if (!then || !now || !log || log.size === 0n || then.log !== now.log) return;
  // After a power loss the times may be older ones than were noted.
  const untouched = then.ino === now.ino && (then.mtime === now.mtime || BigInt(now.ctime) <= BigInt(then.ctime));
  if (untouched) return;
  throw new ConfigError(
    `DATABASE_URL names a file that was replaced while the changes of the one before are in ${file}-wal: remove that to start with this one, or ${noteOf(file)} to apply them to it`,
  );
}

/** Without a note everything is believed. Emptied and flushed: after a power loss a file that was only removed may be there again. */
export function discardNote(file: string): void {
  if (existsSync(noteOf(file))) writeFileSync(noteOf(file), "", { flush: true });
}

/** Writes changes back when there are many, instead of SQLite, which does not say when it has touched the file. */
export class ChangeLog {
  readonly #handle: Handle;
  readonly #file: string;
  readonly #looks: NodeJS.Timeout;
  #again: NodeJS.Timeout | undefined;
  #noted: Note | undefined;

  constructor(handle: Handle, file: string) {
    this.#handle = handle;
    this.#file = file;
    handle.exec("pragma wal_autocheckpoint = 0");
    this.#looks = setInterval(() => this.#look(), lookMs).unref();
  }

  /** To be called after each commit. */
  committed(): void {
    if (!this.#again && (stat(`${this.#file}-wal`)?.size ?? 0n) > maxBytes) this.checkpoint();
  }

  /** Empties the log, or as much of it as no reader in another process still needs: the rest follows when it is gone. */
  checkpoint(): void {
    this.#again = undefined;
    try {
      // A crash in between must not look like a file that was replaced.
      discardNote(this.#file);
      this.#handle.exec("pragma busy_timeout = 0");
      const [result] = this.#handle.pragma("wal_checkpoint(truncate)") as [{ busy: number }];
      if (result.busy) this.#later();
      this.#note(describe(this.#file));
    } catch {
      // A full disk, for example. The commits are in the log.
      this.#later();
    } finally {
      this.#handle.exec("pragma busy_timeout = 100");
    }
  }

  /** Nothing is left of a log once the database is closed. */
  close(): void {
    clearInterval(this.#looks);
    clearTimeout(this.#again);
    rmSync(noteOf(this.#file), { force: true });
  }

  #note(note: Note | undefined): void {
    if (note) writeFileSync(noteOf(this.#file), JSON.stringify(note));
    this.#noted = note;
  }

  /** While this process has the file, a change of it that it did not make is a checkpoint of another process. */
  #look(): void {
    try {
      const [then, now] = [this.#noted, describe(this.#file)];
      if (then && now && then.ino === now.ino && (then.mtime !== now.mtime || then.log !== now.log)) this.#note(now);
    } catch {
      // As with a checkpoint: a full disk, for example.
    }
  }

  #later(): void {
    this.#again = setTimeout(() => this.checkpoint(), againMs).unref();
  }
}
