import { existsSync } from "node:fs";
import type { ProgressEvent } from "../../contract/events.ts";
import { imageIds } from "../../platforms/compose/containers.ts";
import { CHECKS } from "./checks.ts";
import { install } from "./install.ts";

/** Whether this process may install what is missing: root, on Debian or Ubuntu. */
export function mayInstall(): boolean {
  return process.getuid?.() === 0 && existsSync("/usr/bin/apt-get");
}

/**
 * Installs what the machine lacks for a stack, or for the tests too, where this process may; elsewhere whoever needs it
 * names what is missing.
 */
export async function* prepareMachine(
  purpose: "stack" | "tests",
  signal: AbortSignal,
): AsyncGenerator<ProgressEvent, void, void> {
  if (!mayInstall()) return;
  const findings = await Promise.all(CHECKS.map((check) => check()));
  const missing = findings.filter(
    (finding) => !finding.ok && finding.packages !== undefined && (purpose === "tests" || finding.testsOnly !== true),
  );
  if (missing.length > 0) yield* install(missing, signal);
}

/** Whether Docker answers and has every image: then a stack can start without anything being installed. */
export async function readyFor(images: readonly string[]): Promise<boolean> {
  try {
    return (await imageIds(images)).size === images.length;
  } catch {
    return false; // no client, or no daemon
  }
}
