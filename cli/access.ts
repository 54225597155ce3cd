import { existsSync, readFileSync, statSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { UserError } from "../contract/errors.ts";
import { fix, type Fix } from "../contract/fix.ts";
import { userName } from "../contract/machine/user.ts";
import { PROJECT_ROOT } from "../operations/images/paths.ts";

/** Errors of the system that a person corrects, in words. */
const PROBLEMS: Readonly<Record<string, string>> = {
  EACCES: "permission denied",
  EPERM: "operation not permitted",
  EROFS: "the file system is read-only",
  ENOSPC: "no space left on the disk",
  EDQUOT: "the disk quota is used up",
};

/**
 * The error of a file that this user may not read or write, or that has no room: any verb may meet one, for example in
 * a checkout that another user has used. Undefined for other errors.
 */
export function accessError(error: unknown): UserError | undefined {
  if (!(error instanceof Error)) return undefined;
  const { code = "", path, syscall = "" } = error as NodeJS.ErrnoException;
  const problem = PROBLEMS[code];
  if (problem === undefined || path === undefined || syscall.startsWith("spawn")) return undefined;
  const denied = code === "EACCES" || code === "EPERM";
  const owner = denied ? ownerOf(path) : undefined;
  const belongs = owner === undefined ? "" : `; ${userName()} runs this, and ${owner.path} belongs to ${owner.name}`;
  return new UserError(
    denied ? "permission-denied" : "failed",
    path,
    `${problem} (${syscall})${belongs}`,
    denied ? fixOf(owner) : fix`make room or choose another place, then run this command again`,
    { cause: error },
  );
}

interface Owner {
  /** The file, or the folder above it that exists; for the project's own state its whole folder. */
  readonly path: string;
  readonly name: string;
}

function ownerOf(path: string): Owner | undefined {
  let nearest = path;
  try {
    while (!existsSync(nearest) && nearest !== dirname(nearest)) nearest = dirname(nearest);
    const { uid } = statSync(nearest);
    const inside = relative(PROJECT_ROOT, nearest).split("/")[0] === ".exai";
    return uid === process.getuid?.()
      ? undefined
      : { path: inside ? join(PROJECT_ROOT, ".exai") : nearest, name: nameOf(uid) };
  } catch {
    return undefined;
  }
}

function fixOf(owner: Owner | undefined): Fix {
  if (owner === undefined)
    return fix`change the mode of the file or its folder (chmod u+rwX), then run this command again`;
  return fix`sudo chown -R "$(id -u)" ${owner.path}; or run this command as ${owner.name}`;
}

/** Name of a user; the identifier if it has none. */
function nameOf(uid: number): string {
  const line = readFileSync("/etc/passwd", "utf8")
    .split("\n")
    .find((each) => each.split(":")[2] === String(uid));
  return line?.split(":")[0] ?? `user ${String(uid)}`;
}
