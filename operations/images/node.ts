import { access, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { UserError } from "../../contract/errors.ts";
import { runProgram } from "../docker/process.ts";
import { BUILD_DIRECTORY, PROJECT_ROOT } from "./paths.ts";

/** Version of Node inside the images; the same as the launcher's. */
export const NODE_VERSION = "24.21.0";

/** The npm package `node` carries the official binary, at this place below its prefix. */
const BINARY = "node_modules/node/bin/node";

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
  await mkdir(own, { recursive: true });
  const args = [
    "install",
    "--prefix",
    own,
    "--no-save",
    "--no-package-lock",
    "--loglevel=error",
    `node@${NODE_VERSION}`,
  ];
  const ran = await runProgram("npm", args, { ...(signal ? { signal } : {}), timeoutMs: 300_000 });
  if (ran.code !== 0 || !(await isVersion(join(own, BINARY))))
    throw new UserError(
      "unavailable",
      `node@${NODE_VERSION}`,
      `could not be installed from the npm registry: ${ran.stderr.trim().split("\n").at(-1) ?? ""}`,
      "check 'npm ping', then run this command again",
    );
  return join(own, BINARY);
}
