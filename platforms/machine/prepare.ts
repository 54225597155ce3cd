import { existsSync } from "node:fs";
import type { Operation } from "../../contract/events.ts";
import { imageIds } from "../compose/containers.ts";
import { checkMachine } from "./checks.ts";
import { install } from "./install.ts";

/** Whether this process may install packages: as root, on Debian or Ubuntu. */
export function mayInstall(): boolean {
  return process.getuid?.() === 0 && existsSync("/usr/bin/apt-get");
}

/**
 * Installs what this machine lacks for a stack, or also for the tests, if this process may. Otherwise the part that needs
 * something missing reports it.
 */
export async function* prepareMachine(purpose: "stack" | "tests", signal: AbortSignal): Operation<void> {
  if (!mayInstall()) return;
  const findings = await checkMachine();
  const missing = findings.filter(
    (finding) => !finding.ok && finding.packages !== undefined && (purpose === "tests" || finding.testsOnly !== true),
  );
  if (missing.length > 0) yield* install(missing, signal);
}

/** Whether Docker answers and has every image. Then a stack starts without an installation. */
export async function readyFor(images: readonly string[]): Promise<boolean> {
  try {
    return (await imageIds(images)).size === images.length;
  } catch {
    return false; // no client or no daemon
  }
}
