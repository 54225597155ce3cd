import { spawn } from "node:child_process";
import { existsSync, mkdirSync, openSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../../contract/errors.ts";
import type { ProgressEvent } from "../../contract/events.ts";
import { runProgram } from "../../operations/docker/process.ts";
import { PROJECT_ROOT } from "../../operations/images/paths.ts";
import { timed } from "../../contract/timed.ts";
import type { Finding } from "./checks.ts";

/** Debian's services that its packages start by themselves, and that would take the local stack's ports. */
const UNWANTED_SERVICES = ["prometheus", "prometheus-alertmanager", "prometheus-node-exporter"];

/**
 * Installs the packages of the findings and starts Docker.
 *
 * @throws UserError where this is not Debian or Ubuntu, or not root
 */
export async function* install(
  findings: readonly Finding[],
  signal: AbortSignal,
): AsyncGenerator<ProgressEvent, void, void> {
  if (!existsSync("/usr/bin/apt-get"))
    throw new UserError(
      "failed",
      "doctor --install",
      "knows Debian's and Ubuntu's packages alone",
      "install what `./exai doctor` lists by hand",
    );
  if (process.getuid?.() !== 0)
    throw new UserError("failed", "doctor --install", "needs root", "sudo ./exai doctor --install");

  const packages = [...new Set(findings.flatMap((finding) => finding.packages ?? []))];
  if (packages.length > 0) {
    yield* timed("apt", `install ${packages.join(", ")}`, async () => {
      await apt(["update", "-qq"], signal);
      await withoutServices(() => apt(["install", "-y", "-qq", "--no-install-recommends", ...packages], signal));
    });
  }
  if (findings.some((finding) => finding.name === "docker engine" || finding.name === "docker client"))
    yield* timed("dockerd", "start the Docker engine", () => startDocker(signal));
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

/** Installs without the tools' own services: only their programs are wanted. One that was here before is its owner's. */
async function withoutServices(work: () => Promise<void>): Promise<void> {
  const unwanted = UNWANTED_SERVICES.filter((service) => !hasService(service));
  await work();
  for (const service of unwanted) {
    // Not there, or no init system that would have started it: both are fine.
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

/** Starts the engine by the init system, or by itself where there is none, and waits until it answers. */
async function startDocker(signal: AbortSignal): Promise<void> {
  const answers = async () => (await runProgram("docker", ["info"], { timeoutMs: 10_000, signal })).code === 0;
  if (await answers()) return;
  let failure: string | undefined;
  if (existsSync("/run/systemd/system")) await runProgram("systemctl", ["start", "docker"], { signal });
  else {
    const folder = join(PROJECT_ROOT, ".exai");
    mkdirSync(folder, { recursive: true });
    const log = openSync(join(folder, "dockerd.log"), "a");
    const engine = spawn("dockerd", [], { detached: true, stdio: ["ignore", log, log] });
    // What cannot be started says so by an event; without a listener that event would end this process.
    engine.once("error", (error) => {
      failure = error.message;
    });
    engine.unref();
  }
  for (let attempt = 0; attempt < 60; attempt += 1) {
    if (await answers()) return;
    if (failure !== undefined) throw new UserError("failed", "dockerd", failure, "apt-get install docker.io");
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  throw new UserError(
    "failed",
    "dockerd",
    "did not start within 30 s",
    "see .exai/dockerd.log, or: journalctl -u docker",
  );
}
