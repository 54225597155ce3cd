import { EXIT } from "../../contract/errors.ts";
import type { Verb } from "../../contract/events.ts";
import { CHECKS, type Finding } from "../doctor/checks.ts";
import { install } from "../doctor/install.ts";

/** Checks the machine; with `install`, fixes what Debian's and Ubuntu's packages can fix. Exit 1 where something is amiss. */
export async function* doctor(options: { readonly install: boolean }, signal: AbortSignal): Verb {
  let findings = await examine();
  const fixable = findings.filter((finding) => !finding.ok && finding.packages !== undefined);
  if (options.install && fixable.length > 0) {
    yield* install(fixable, signal);
    findings = await examine();
  }
  yield {
    type: "table",
    columns: ["CHECK", "STATE", "FOUND", "FIX"],
    rows: findings.map((finding) => [
      finding.name,
      finding.ok ? "ok" : finding.needed ? "missing" : "optional",
      finding.found,
      finding.ok ? "" : finding.fix,
    ]),
  };
  const amiss = findings.filter((finding) => !finding.ok && finding.needed);
  yield {
    type: "result",
    title:
      amiss.length === 0
        ? "This machine can run ./exai up and ./exai test."
        : `Missing: ${amiss.map((finding) => finding.name).join(", ")}`,
    data: Object.fromEntries(findings.map((finding) => [finding.name, { ok: finding.ok, found: finding.found }])),
    next: amiss.length === 0 ? ["./exai up"] : ["./exai doctor --install   # as root, on Debian or Ubuntu"],
  };
  return amiss.length === 0 ? EXIT.ok : EXIT.violations;
}

async function examine(): Promise<readonly Finding[]> {
  return Promise.all(CHECKS.map((check) => check()));
}
