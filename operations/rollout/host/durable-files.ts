import { closeSync, fsyncSync, openSync, renameSync, writeSync } from "node:fs";
import { open, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { UserError } from "../../../contract/errors.ts";
import { command, fix } from "../../../contract/fix.ts";
import { makeFolder } from "../../../contract/machine/make-folder.ts";

/** Creates a file and flushes it to the disk. @throws Error if it exists, or cannot be written: then there is no file */
export async function createDurably(path: string, content: string): Promise<void> {
  try {
    const file = await open(path, "wx", 0o644);
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
  } catch (error) {
    await rm(path, { force: true }); // a full disk creates the name without the content
    throw error;
  }
}

/** Replaces a file by rename after flushing the content, so a crash leaves the old or the new content. */
export function writeDurably(path: string, content: string, mode: number): void {
  makeFolder(dirname(path));
  const temporary = `${path}.${process.pid}.tmp`;
  const file = openSync(temporary, "w", mode);
  try {
    writeSync(file, content);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(temporary, path);
}

/** Makes renames in a directory durable. */
export async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** `code` of a system error, e.g. ENOENT. */
export function errorCode(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}

/** Errors that a person corrects: no space, a quota, a read-only file system, missing permissions. */
const UNWRITABLE = ["ENOSPC", "EDQUOT", "EROFS", "EACCES"];

/** Converts an error of {@link UNWRITABLE} into a UserError; returns other errors unchanged. */
export function unwritable(error: unknown, path: string, problem: (code: string) => string): unknown {
  const code = errorCode(error);
  if (code === undefined || !UNWRITABLE.includes(code)) return error;
  const advice = fix`make room or correct the permissions, then: ${command("rollout resume")} (or ${command("rollout abort")})`;
  return new UserError("unavailable", path, problem(code), advice, { cause: error });
}

/** Whether it is a UserError of {@link unwritable}: a retry would fail again. */
export function isUnwritable(error: unknown): boolean {
  return error instanceof UserError && UNWRITABLE.includes(errorCode(error.cause) ?? "");
}
