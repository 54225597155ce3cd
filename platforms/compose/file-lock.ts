import { linkSync, mkdirSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { randomUUID } from "node:crypto";
import { dirname } from "node:path";
import { errorCode } from "../../operations/rollout/host/durable-files.ts";

/** Milliseconds for which a lock must be the same before it counts as left behind. The work under it takes milliseconds. */
const LEFT_BEHIND_MS = 5_000;
const POLL_MS = 10;

/**
 * Runs short, synchronous work on a file while no other process does: a read, a change and a write by rename. The lock is
 * `<path>.lock`. One that a killed process left is removed when it has not changed for {@link LEFT_BEHIND_MS}; the wait
 * is measured by this process alone, so no clock and no other machine's processes matter.
 */
export function withFileLock<Result>(path: string, work: () => Result): Result {
  const lock = `${path}.lock`;
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  let watched: number | undefined;
  let since = performance.now();
  while (!taken(lock)) {
    const present = inode(lock);
    if (present !== watched) [watched, since] = [present, performance.now()];
    else if (performance.now() - since > LEFT_BEHIND_MS) remove(lock, present);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, POLL_MS);
  }
  try {
    return work();
  } finally {
    rmSync(lock, { force: true });
  }
}

function taken(lock: string): boolean {
  try {
    writeFileSync(lock, "", { flag: "wx", mode: 0o600 });
    return true;
  } catch (error) {
    if (errorCode(error) === "EEXIST") return false;
    throw error;
  }
}

function inode(lock: string): number | undefined {
  return statSync(lock, { throwIfNoEntry: false })?.ino;
}

/** Removes a lock by its inode: if another process has replaced it meanwhile, the new one is put back. */
function remove(lock: string, expected: number | undefined): void {
  const aside = `${lock}.${randomUUID()}`;
  try {
    renameSync(lock, aside);
    if (inode(aside) !== expected) linkSync(aside, lock);
  } catch (error) {
    if (errorCode(error) !== "ENOENT" && errorCode(error) !== "EEXIST") throw error;
  } finally {
    rmSync(aside, { force: true });
  }
}
