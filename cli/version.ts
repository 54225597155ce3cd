import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { EXIT } from "../contract/errors.ts";
import { PROJECT_ROOT } from "../operations/images/paths.ts";
import { resultOf, type Verb } from "./events.ts";
import type { VersionResult } from "./results.ts";

/** `--version`. */
export function version(): Verb {
  const { version: number } = JSON.parse(readFileSync(join(PROJECT_ROOT, "package.json"), "utf8")) as {
    version: string;
  };
  const commit = presentCommit();
  const result: VersionResult = { version: number, ...(commit === undefined ? {} : { commit }), node: process.version };
  return resultOf("version", Promise.resolve(result), () => EXIT.ok);
}

/** The commit of this checkout, marked if files were changed since; undefined outside a checkout. */
function presentCommit(): string | undefined {
  if (!existsSync(join(PROJECT_ROOT, ".git"))) return undefined;
  try {
    return execFileSync("git", ["describe", "--always", "--dirty", "--exclude", "*"], {
      cwd: PROJECT_ROOT,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    }).trim();
  } catch {
    return undefined; // git is not installed, or the checkout belongs to another user
  }
}
