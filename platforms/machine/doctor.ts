import type { Operation } from "../../contract/events.ts";
import { checkMachine, type CheckResult } from "./checks.ts";
import { install } from "./install.ts";

/** The result of `doctor`. */
export interface DoctorResult {
  /** Whether nothing is missing that `up` or `test` needs. */
  readonly ready: boolean;
  readonly findings: readonly CheckResult[];
}

/** Checks this machine. With `install`, installs the missing packages on Debian and Ubuntu first. */
export async function* checkAndInstall(
  options: { readonly install: boolean },
  signal: AbortSignal,
): Operation<DoctorResult> {
  let findings = await checkMachine();
  const fixable = findings.filter((finding) => !finding.ok && finding.packages !== undefined);
  if (options.install && fixable.length > 0) {
    yield* install(fixable, signal);
    findings = await checkMachine();
  }
  return { ready: findings.every(({ ok, needed }) => ok || !needed), findings };
}
