import { lstatSync, readdirSync, rmdirSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import { MARK_FILE, ofInstance, readMark } from "../../contract/machine/stack-home.ts";
import { errorCode } from "../../operations/rollout/host/durable-files.ts";

/** What the operations make in a stack's folder, the names that docs/architecture.md lists. */
const OWN = [
  ...[
    "audit.jsonl",
    "audit.jsonl.1",
    "backend",
    "branches",
    "changes",
    "compose.yaml",
    "engine",
    "files",
    // Which registries did not answer; in the folder of the stack with the default name.
    "registry.json",
    "restore.json",
    "rollout",
    "rotation.json",
    "rotations",
    "routes",
  ],
  ...["overrides.json", "secrets.json", "slots.json"],
];

/** A draft or a lock that a killed process left. */
const LEFT_BEHIND =
  /^(audit\.jsonl|compose\.yaml|overrides\.json|restore\.json|rotation\.json|secrets\.json|slots\.json)\.(lock(\..*)?|\d+\.tmp)$/;

/** What is in a stack's folder, the mark excepted. */
export interface HomeEntries {
  /** What operations made. */
  readonly own: readonly string[];
  /** Everything else: it is never removed. */
  readonly foreign: readonly string[];
}

/**
 * The entries of a stack's folder. Without a mark none is the stack's own.
 *
 * @throws UserError if the folder is that of another instance
 */
export function homeEntries(home: string, instance: string): HomeEntries {
  const mark = readMark(home);
  const names = namesIn(home).filter((name) => !name.startsWith(MARK_FILE));
  if (mark === undefined) return { own: [], foreign: names };
  ofInstance(mark, home, instance);
  const isOwn = (name: string) => OWN.includes(name) || LEFT_BEHIND.test(name);
  return { own: names.filter(isOwn), foreign: names.filter((name) => !isOwn(name)) };
}

/**
 * Removes what operations made in a stack's folder, file by file. Symbolic links and other file systems that are mounted
 * below it are not followed: no operation makes one. The mark and the folder go last, if nothing else is left.
 *
 * @returns the absolute paths that stay
 */
export function removeHome(home: string, instance: string): readonly string[] {
  const { own, foreign } = homeEntries(home, instance);
  if (readMark(home) === undefined) return foreign.map((name) => join(home, name));
  const { dev } = lstatSync(join(home, MARK_FILE));
  const kept = [...own.flatMap((name) => remove(join(home, name), dev)), ...foreign.map((name) => join(home, name))];
  if (kept.length > 0) return kept;
  for (const name of namesIn(home).filter((each) => each.startsWith(MARK_FILE))) unlinkSync(join(home, name));
  try {
    rmdirSync(home);
  } catch (error) {
    // A name was made meanwhile, or the folder is a link or a mount point: it is empty, or not ours.
    if (!["ENOTEMPTY", "ENOTDIR", "EBUSY", "EACCES", "ENOENT"].includes(errorCode(error) ?? "")) throw error;
  }
  return [];
}

/** Removes a file, or a folder with its files; returns the paths that stay. */
function remove(path: string, device: number): readonly string[] {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return [];
  if (found.dev !== device || !(found.isFile() || found.isDirectory())) return [path];
  if (found.isFile()) {
    unlinkSync(path);
    return [];
  }
  const kept = namesIn(path).flatMap((name) => remove(join(path, name), device));
  if (kept.length > 0) return kept;
  try {
    rmdirSync(path);
    return [];
  } catch (error) {
    // The holder of a lease has renewed it meanwhile.
    if (errorCode(error) !== "ENOTEMPTY") throw error;
    return remove(path, device);
  }
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder).sort();
  } catch (error) {
    if (errorCode(error) === "ENOENT") return [];
    throw error;
  }
}
