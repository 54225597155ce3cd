import { access, constants, mkdir } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { runProgram } from "../../../operations/docker/process.ts";
import { PROJECT_ROOT } from "../../../operations/images/paths.ts";

/** A peer that is not installed and could not be installed; the message says how to install it. */
export class MissingProgram extends Error {
  override readonly name = "MissingProgram";
}

/** Where programs are put that are built here. */
const OWN = join(PROJECT_ROOT, ".exai/peers");

/** Debian keeps servers where only root's PATH looks. */
const PLACES = [OWN, ...(process.env.PATH ?? "").split(delimiter), "/usr/sbin", "/usr/local/go/bin"];

const CADDY_MODULE = "github.com/caddyserver/caddy/v2/cmd/caddy@latest";

/**
 * The path of a peer's program. One that is missing is installed where that can be done without a question: HAProxy and
 * nginx from Debian as root, their services left off; Caddy from its Go module, into this checkout.
 *
 * @throws MissingProgram
 */
export async function requireProgram(name: "haproxy" | "nginx" | "caddy"): Promise<string> {
  const present = await find(name);
  if (present !== undefined) return present;
  process.stderr.write(`installing ${name}\n`);
  const fix = name === "caddy" ? await installCaddy() : await installDebian(name);
  const installed = await find(name);
  if (installed === undefined) throw new MissingProgram(`${name} is missing: ${fix}`);
  return installed;
}

/** What a program says of its version, by the first group of the pattern. */
export async function programVersion(program: string, flag: string, pattern: RegExp): Promise<string> {
  const { stdout, stderr } = await runProgram(program, [flag]);
  return pattern.exec(`${stdout}${stderr}`)?.[1] ?? "?";
}

async function find(name: string): Promise<string | undefined> {
  for (const place of PLACES) {
    const path = join(place, name);
    const runs = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (runs) return path;
  }
  return undefined;
}

async function installCaddy(): Promise<string> {
  const go = await find("go");
  if (go === undefined) return "apt-get install caddy, or install Go";
  await mkdir(OWN, { recursive: true });
  const ran = await runProgram(go, ["install", CADDY_MODULE], { env: { GOBIN: OWN } });
  return `go install ${CADDY_MODULE}${ran.code === 0 ? "" : `: ${ran.stderr.trim().split("\n").at(-1) ?? ""}`}`;
}

async function installDebian(name: string): Promise<string> {
  const fix = `apt-get install ${name}`;
  if (process.getuid?.() !== 0 || (await find("apt-get")) === undefined) return fix;
  // invoke-rc.d starts no service in run level 1: only the program is wanted.
  const env = { DEBIAN_FRONTEND: "noninteractive", RUNLEVEL: "1" };
  await runProgram("apt-get", ["update", "-qq"], { env });
  const ran = await runProgram("apt-get", ["install", "-y", "-qq", "--no-install-recommends", name], { env });
  return ran.code === 0 ? fix : `${fix}: ${ran.stderr.trim().split("\n").at(-1) ?? ""}`;
}
