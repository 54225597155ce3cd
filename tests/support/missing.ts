import { execFileSync } from "node:child_process";

/** Debian's packages of the programs that these tests run. */
const PACKAGES = {
  promtool: "prometheus",
  prometheus: "prometheus",
  amtool: "prometheus-alertmanager",
  "prometheus-alertmanager": "prometheus-alertmanager",
  faketime: "faketime",
} as const;

/**
 * Why a test cannot run here; false when it can. In CI a missing program is a failure: a check that looked at nothing
 * must not pass.
 */
export function missing(...programs: (keyof typeof PACKAGES)[]): string | false {
  const absent = programs.filter((program) => !isInstalled(program));
  if (absent.length === 0) return false;
  const packages = [...new Set(absent.map((program) => PACKAGES[program]))].join(" ");
  const reason = `${absent.join(" and ")} not found; fix: ./exai doctor --install, or apt-get install ${packages}`;
  if (process.env.CI === "true") throw new Error(reason);
  process.stderr.write(`skipped: ${reason}\n`);
  return reason;
}

function isInstalled(program: string): boolean {
  try {
    execFileSync("sh", ["-c", 'command -v "$0"', program], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}
