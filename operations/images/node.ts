import { access, cp, mkdir } from "node:fs/promises";
import { join, relative } from "node:path";
import { UserError } from "../../contract/errors.ts";
import { runProgram } from "../docker/process.ts";
import { BUILD_DIRECTORY, PROJECT_ROOT } from "./paths.ts";
import { otherContent } from "./pins.ts";

/** Version of Node inside the images; the same as the launcher's. */
export const NODE_VERSION = "24.21.0";

/** Place of the binary below the prefix of an installation. */
const BINARY = "node_modules/node/bin/node";

/** Folders with the lock file of each platform, which has the hash of its package. */
const LOCKS = join(PROJECT_ROOT, "images/node");

async function isVersion(binary: string): Promise<boolean> {
  try {
    await access(binary);
    return (await runProgram(binary, ["--version"])).stdout.trim() === `v${NODE_VERSION}`;
  } catch {
    return false;
  }
}

/**
 * Path of the official Node binary of {@link NODE_VERSION}: the launcher's, else installed from npm into `.exai/build`.
 *
 * The system's own Node will not do: distributions link it against libraries that the image does not have.
 */
export async function nodeBinary(signal?: AbortSignal): Promise<string> {
  const own = join(BUILD_DIRECTORY, "node");
  for (const prefix of [join(PROJECT_ROOT, ".exai/node"), own])
    if (await isVersion(join(prefix, BINARY))) return join(prefix, BINARY);
  await installNode(own, join(LOCKS, `linux-${process.arch}`), signal);
  return join(own, BINARY);
}

/**
 * Installs Node from npm. npm compares the package with the hash of the lock file, and no script of a package runs.
 *
 * @param lock folder with `package.json` and `package-lock.json`
 * @throws UserError if the package is not available, or does not have the hash
 */
export async function installNode(prefix: string, lock: string, signal?: AbortSignal): Promise<void> {
  const what = `node@${NODE_VERSION}`;
  await mkdir(prefix, { recursive: true });
  await cp(lock, prefix, { recursive: true }).catch((cause: unknown) => {
    const problem = `has no pinned hash for ${process.arch}`;
    throw new UserError("not-found", what, problem, `add a lock file to ${relative(PROJECT_ROOT, LOCKS)}`, { cause });
  });
  const args = ["ci", "--prefix", prefix, "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
  const ran = await runProgram("npm", args, { ...(signal ? { signal } : {}), timeoutMs: 300_000 });
  signal?.throwIfAborted();
  if (ran.stderr.includes("EINTEGRITY")) throw otherContent(what);
  if (ran.code === 0 && (await isVersion(join(prefix, BINARY)))) return;
  throw new UserError(
    "unavailable",
    what,
    `could not be installed from the npm registry: ${ran.stderr.trim().split("\n").at(-1) ?? ""}`,
    "check 'npm ping', then run this command again",
  );
}
