import { spawn } from "node:child_process";
import { existsSync, mkdirSync, openSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../../contract/errors.ts";
import type { Operation } from "../../contract/events.ts";
import { command, fix } from "../../contract/fix.ts";
import { runProgram } from "../../operations/docker/process.ts";
import { PROJECT_ROOT } from "../../operations/images/paths.ts";
import { timed } from "../../contract/timed.ts";
import type { CheckResult } from "./checks.ts";

/** Services that Debian's packages start automatically, and that would use the ports of a local stack. */
const UNWANTED_SERVICES = ["prometheus", "prometheus-alertmanager", "prometheus-node-exporter"];

/**
 * Installs the packages of the findings and starts Docker.
 *
 * @throws UserError if this is not Debian or Ubuntu, or the user is not root
 */
export async function* install(findings: readonly CheckResult[], signal: AbortSignal): Operation<void> {
  if (!existsSync("/usr/bin/apt-get"))
    throw new UserError(
      "missing-tool",
      "doctor --install",
      "supports Debian and Ubuntu only",
      fix`install what ${command("doctor")} lists`,
    );
  if (process.getuid?.() !== 0)
    throw new UserError(
      "permission-denied",
      "doctor --install",
      "needs root",
      fix`sudo ${command("doctor --install")}`,
    );

  const packages = [...new Set(findings.flatMap((finding) => finding.packages ?? []))];
  if (packages.length > 0) {
    yield* timed("apt", `install ${packages.join(", ")}`, async () => {
      await apt(["update", "-qq"], signal);
      await withoutServices(() => apt(["install", "-y", "-qq", "--no-install-recommends", ...packages], signal));
    });
  }
  if (findings.some((finding) => finding.name === "docker engine" || finding.name === "docker client"))
    yield* timed("dockerd", "start Docker", () => startDocker(signal));
}

async function apt(args: readonly string[], signal: AbortSignal): Promise<void> {
  const ran = await runProgram("apt-get", ["-o", "DPkg::Lock::Timeout=300", ...args], {
    signal,
    env: { DEBIAN_FRONTEND: "noninteractive" },
  });
  if (ran.code !== 0)
    throw new UserError(
      "failed",
      "apt-get",
      ran.stderr.trim().split("\n").slice(-3).join("; "),
      `apt-get ${args.join(" ")}`,
    );
}

/** Installs packages without starting their services. A service that was installed before is not changed. */
async function withoutServices(work: () => Promise<void>): Promise<void> {
  const unwanted = UNWANTED_SERVICES.filter((service) => !hasService(service));
  await work();
  for (const service of unwanted) {
    // Without the service, or without an init system, there is nothing to stop.
    await runProgram("sh", [
      "-c",
      `systemctl disable --now ${service} 2>/dev/null || service ${service} stop 2>/dev/null || true`,
    ]);
  }
}

function hasService(name: string): boolean {
  const places = [`/etc/init.d/${name}`, ...["/etc", "/lib"].map((root) => `${root}/systemd/system/${name}.service`)];
  return places.some((place) => existsSync(place));
}

/** Starts Docker's daemon, with the init system if there is one, and waits until it answers. */
async function startDocker(signal: AbortSignal): Promise<void> {
  const answers = async () => (await runProgram("docker", ["info"], { timeoutMs: 10_000, signal })).code === 0;
  if (await answers()) return;
  let failure: string | undefined;
  if (existsSync("/run/systemd/system")) await runProgram("systemctl", ["start", "docker"], { signal });
  else {
    const folder = join(PROJECT_ROOT, ".exai");
    mkdirSync(folder, { recursive: true });
    const log = openSync(join(folder, "dockerd.log"), "a");
    const daemon = spawn("dockerd", [], { detached: true, stdio: ["ignore", log, log] });
    // Without a listener, the event of a failed start would end this process.
    daemon.once("error", (error) => {
      failure = error.message;
    });
    daemon.unref();
  }
  for (let attempt = 0; attempt < 60; attempt += 1) {
    if (await answers()) return;
    if (failure !== undefined) throw new UserError("failed", "dockerd", failure, "apt-get install docker.io");
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  throw new UserError(
    "timeout",
    "dockerd",
    "did not start within 30 s",
    "see .exai/dockerd.log, or: journalctl -u docker",
  );
}
