import { statfs } from "node:fs/promises";
import { forbidden } from "../../operations/docker/cli.ts";
import { runProgram } from "../../operations/docker/process.ts";
import { UserError, UserErrors } from "../../contract/errors.ts";
import type { Fix } from "../../contract/fix.ts";
import type { Settings } from "../../stacks/settings.ts";
import { PROJECT_ROOT } from "../../operations/images/paths.ts";
import { holderText, portsFix, publishedPorts, takenPorts } from "../compose/ports.ts";
import { dockerStack } from "../compose/project.ts";
import { declaredStack } from "../declared.ts";

/** The result of one check. */
export interface CheckResult {
  readonly name: string;
  readonly ok: boolean;
  /** Whether `up` or `test` needs it. */
  readonly needed: boolean;
  readonly found: string;
  /** What corrects it; empty if it is ok. */
  readonly fix: string | Fix;
  /** Debian packages that correct it; empty if something only has to be started. Absent: no package does. */
  readonly packages?: readonly string[];
  /** Whether only the tests need it. @default false */
  readonly testsOnly?: boolean;
}

/** Space for the images, volumes and node_modules, with a reserve, in GiB. */
const DISK_GIB = 6;

/** First line of a program's output; undefined if it is not installed or fails. */
async function firstLine(program: string, ...args: string[]): Promise<string | undefined> {
  try {
    const ran = await runProgram(program, args, { timeoutMs: 20_000 });
    return ran.code === 0 ? (`${ran.stdout}\n${ran.stderr}`.trim().split("\n")[0] ?? "") : undefined;
  } catch {
    return undefined;
  }
}

interface ProgramCheck {
  readonly name: string;
  readonly commands: readonly (readonly [program: string, ...args: string[]])[];
  readonly packages: readonly string[];
  readonly needed?: boolean;
  readonly testsOnly?: boolean;
  readonly purpose: string;
}

/** A program that must be installed. One of the commands is enough. */
function program(check: ProgramCheck): () => Promise<CheckResult> {
  return async () => {
    let found: string | undefined;
    for (const each of check.commands) found ??= await firstLine(...each);
    return {
      name: check.name,
      ok: found !== undefined,
      needed: check.needed ?? true,
      found: found ?? `not installed (${check.purpose})`,
      fix: `apt-get install ${check.packages.join(" ")}`,
      packages: check.packages,
      testsOnly: check.testsOnly === true,
    };
  };
}

async function node(): Promise<CheckResult> {
  return Promise.resolve({ name: "node", ok: true, needed: true, found: process.version, fix: "" });
}

async function dockerDaemon(): Promise<CheckResult> {
  const ran = await runProgram("docker", ["version", "--format", "{{.Server.Version}}"], { timeoutMs: 20_000 }).catch(
    () => undefined,
  );
  const version = ran?.code === 0 ? ran.stdout.trim() : undefined;
  const denied = forbidden(ran?.stderr ?? "");
  if (denied !== undefined)
    return { name: "docker engine", ok: false, needed: true, found: denied.message, fix: denied.fix };
  // A machine may have only the client. A daemon on another machine cannot be started from here.
  const installed = (process.env.DOCKER_HOST ?? "") !== "" || (await firstLine("dockerd", "--version")) !== undefined;
  return {
    name: "docker engine",
    ok: version !== undefined,
    needed: true,
    found: version ?? (installed ? "the daemon does not answer" : "not installed"),
    fix: installed ? "systemctl start docker, or as root: dockerd &" : "apt-get install docker.io",
    packages: installed ? [] : ["docker.io"],
  };
}

async function disk(): Promise<CheckResult> {
  const { bavail, bsize } = await statfs(PROJECT_ROOT);
  const free = (bavail * bsize) / 2 ** 30;
  return {
    name: "disk",
    ok: free >= DISK_GIB,
    needed: true,
    found: `${free.toFixed(1)} GiB free`,
    fix: `free ${DISK_GIB} GiB; docker system prune`,
  };
}

/** The ports of the local stack are free, or used by its own running containers. */
async function ports(): Promise<CheckResult> {
  let settings: Settings;
  try {
    ({ settings } = dockerStack(declaredStack("local")));
  } catch (error) {
    const [first] = error instanceof UserErrors ? error.errors : [error];
    if (!(first instanceof UserError)) throw error;
    // What `up` would end with. The other checks still help.
    return { name: "ports", ok: false, needed: true, found: `${first.where}: ${first.message}`, fix: first.fix };
  }
  const taken = await takenPorts(settings);
  const texts = taken.map(({ key, port, holder }) => `${String(port)} (exai:${key}): ${holderText(holder)}`);
  return {
    name: "ports",
    ok: taken.length === 0,
    needed: true,
    found: taken.length === 0 ? [...publishedPorts(settings).values()].join(", ") : `in use: ${texts.join(", ")}`,
    fix: taken.length === 0 ? "" : portsFix("local", taken),
  };
}

async function pulumi(): Promise<CheckResult> {
  const version =
    (await firstLine("pulumi", "version")) ??
    (await firstLine(`${process.env.HOME ?? ""}/.pulumi/bin/pulumi`, "version"));
  return {
    name: "pulumi",
    ok: version !== undefined,
    needed: false,
    found: version ?? "not installed (staging and prod need it)",
    fix: "curl -fsSL https://get.pulumi.com | sh",
  };
}

/** Every check, in the order of the report. */
const CHECKS: readonly (() => Promise<CheckResult>)[] = [
  node,
  program({
    name: "docker client",
    commands: [["docker", "--version"]],
    packages: ["docker.io"],
    purpose: "everything local",
  }),
  dockerDaemon,
  program({
    name: "compose",
    commands: [
      ["docker", "compose", "version"],
      ["docker-compose", "version"],
    ],
    packages: ["docker-compose"],
    purpose: "up",
  }),
  disk,
  ports,
  program({
    name: "mmdebstrap",
    commands: [["mmdebstrap", "--version"]],
    packages: ["mmdebstrap"],
    needed: false,
    purpose: "a base image if no registry is reachable",
  }),
  program({
    name: "python3 and pip",
    commands: [["python3", "-m", "pip", "--version"]],
    packages: ["python3", "python3-pip"],
    needed: false,
    purpose: "a router image if no registry is reachable",
  }),
  program({
    name: "promtool",
    commands: [["promtool", "--version"]],
    packages: ["prometheus"],
    needed: false,
    testsOnly: true,
    purpose: "tests of the alert rules",
  }),
  program({
    name: "amtool",
    commands: [["amtool", "--version"]],
    packages: ["prometheus-alertmanager"],
    needed: false,
    testsOnly: true,
    purpose: "tests of the alert routing",
  }),
  program({
    name: "faketime",
    commands: [["faketime", "--version"]],
    packages: ["faketime"],
    needed: false,
    testsOnly: true,
    purpose: "tests of clock jumps",
  }),
  program({
    name: "jq",
    commands: [["jq", "--version"]],
    packages: ["jq"],
    needed: false,
    testsOnly: true,
    purpose: "tests of the commands in the docs",
  }),
  pulumi,
];

/** Runs every check. */
export async function checkMachine(): Promise<readonly CheckResult[]> {
  return Promise.all(CHECKS.map((check) => check()));
}
