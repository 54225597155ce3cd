import { existsSync } from "node:fs";
import { dirname } from "node:path";
import { CARRIER, LABELS } from "../../contract/labels.ts";
import { docker, DockerError, tryDocker } from "../../operations/docker/cli.ts";

/** A container of an instance, as Docker reports it. */
export interface RunningContainer {
  readonly id: string;
  readonly name: string;
  readonly component: string;
  readonly image: string;
  /** Content identifier of the image that it was made from. */
  readonly imageId: string;
  /** `running`, `restarting`, `exited`, … */
  readonly state: string;
  /** `healthy`, `unhealthy`, `starting`, or empty if there is no check. Docker says `starting` until its first check: see {@link settled}. */
  readonly health: string;
  /** Program and arguments of its health check; empty if there is none. */
  readonly check: readonly string[];
  /** Milliseconds that Docker gives the check. */
  readonly checkMs: number;
  /** Hash of the definition that Compose made it from; empty if the Pulumi engine made it. */
  readonly hash: string;
  /** Compose file that it was made from; empty if the Pulumi engine made it. */
  readonly composeFile: string;
  readonly restarts: number;
  /** ISO 8601; absent if it was never started. */
  readonly startedAt?: string;
  /** Exit code of the last run, if it has ended. */
  readonly exitCode: number;
  /** Ports on the host that it publishes while it runs, `127.0.0.1:8080->8080`. */
  readonly ports: readonly string[];
}

interface Healthcheck {
  readonly Test?: readonly string[] | null;
  /** Nanoseconds; absent or 0 for Docker's default. */
  readonly Timeout?: number;
}

interface Inspected {
  Id: string;
  Name: string;
  Image: string;
  RestartCount: number;
  Config: { Image: string; Labels: Record<string, string> | null; Healthcheck?: Healthcheck };
  State: { Status: string; ExitCode: number; StartedAt: string; Health?: { Status: string } };
  HostConfig: { PortBindings: Record<string, { HostIp: string; HostPort: string }[] | null> | null };
}

/** Identifiers of the containers of an instance, or of one component, stopped ones too, youngest first. */
export async function containerIds(instance: string, component?: string): Promise<readonly string[]> {
  return (await docker(["ps", "--all", "--quiet", ...filters(instance, component)])).split(/\s+/).filter(Boolean);
}

function filters(instance: string, component?: string): readonly string[] {
  const labels = [`${LABELS.instance}=${instance}`];
  if (component !== undefined) labels.push(`${LABELS.component}=${component}`);
  return labels.flatMap((label) => ["--filter", `label=${label}`]);
}

/**
 * The containers of an instance, or that of one component, stopped ones too, by component. Of two, the younger counts: if
 * Compose is killed while it replaces a container, the old one remains. Carriers of files are left out: they never run.
 */
export async function containersOf(
  instance: string,
  component?: string,
): Promise<ReadonlyMap<string, RunningContainer>> {
  for (;;) {
    const ids = await containerIds(instance, component);
    if (ids.length === 0) return new Map();
    const ran = await tryDocker(["inspect", ...ids]);
    // A container was removed between the two commands: list them again.
    if (ran.code !== 0 && /no such (object|container)/i.test(ran.stderr)) continue;
    if (ran.code !== 0) throw new DockerError(["inspect", ...ids], ran.stderr);
    const inspected = JSON.parse(ran.stdout) as Inspected[];
    return new Map(
      inspected
        .reverse()
        .map((raw) => containerOf(raw))
        .filter(({ component }) => !component.endsWith(CARRIER))
        .map((container) => [container.component, container]),
    );
  }
}

/**
 * The folder of another checkout whose Compose file a container was made from; undefined if there is none. Where nothing is left at
 * the old place, the folder was moved or deleted.
 */
export function otherCheckout(
  containers: ReadonlyMap<string, RunningContainer>,
  home: string,
): { readonly container: string; readonly home: string } | undefined {
  for (const { name, composeFile } of containers.values())
    if (composeFile !== "" && dirname(composeFile) !== home && existsSync(composeFile))
      return { container: name, home: dirname(composeFile) };
  return undefined;
}

/**
 * Whether Compose, and not the Pulumi engine, made an instance's component; undefined if there is none. One request to Docker:
 * a rollback may wait for it.
 */
export async function madeByCompose(instance: string, component: string): Promise<boolean | undefined> {
  const format = `hash={{.Label "${LABELS.configHash}"}}`;
  const hashes = await docker(["ps", "--all", ...filters(instance, component), "--format", format]);
  const [youngest] = hashes.split("\n").filter(Boolean);
  return youngest === undefined ? undefined : youngest !== "hash=";
}

function containerOf(raw: Inspected): RunningContainer {
  const labels = raw.Config.Labels ?? {};
  return {
    id: raw.Id,
    name: raw.Name.replace(/^\//, ""),
    component: labels[LABELS.component] ?? raw.Name,
    image: raw.Config.Image,
    imageId: raw.Image,
    state: raw.State.Status,
    health: raw.State.Health?.Status ?? "",
    ...checkOf(raw.Config.Healthcheck),
    hash: labels[LABELS.configHash] ?? "",
    composeFile: labels["com.docker.compose.project.config_files"] ?? "",
    restarts: raw.RestartCount,
    ...startOf(raw.State.StartedAt),
    exitCode: raw.State.ExitCode,
    ports: Object.entries(raw.HostConfig.PortBindings ?? {}).flatMap(([inside, outside]) =>
      (outside ?? []).map((port) => `${port.HostIp}:${port.HostPort}->${inside.replace("/tcp", "")}`),
    ),
  };
}

/** Docker's time-out of a health check that sets none, in milliseconds. */
const DEFAULT_CHECK_MS = 30_000;

/** A health check in Docker's form as the program to run, with its time-out. */
function checkOf({ Test, Timeout = 0 }: Healthcheck = {}): Pick<RunningContainer, "check" | "checkMs"> {
  const [form, ...words] = Test ?? [];
  const check = form === "CMD-SHELL" ? ["/bin/sh", "-c", ...words] : form === "CMD" ? words : [];
  return { check, checkMs: Timeout === 0 ? DEFAULT_CHECK_MS : Timeout / 1e6 };
}

/**
 * A container with the health that it has now. Docker checks it for the first time a whole interval after its start; until then
 * this runs the same check.
 */
export async function settled(container: RunningContainer): Promise<RunningContainer> {
  if (container.state !== "running" || container.health !== "starting") return container;
  const { code } = await tryDocker(["exec", container.id, ...container.check], {
    timeoutMs: container.checkMs,
  });
  return code === 0 ? { ...container, health: "healthy" } : container;
}

/** Docker gives a time that has not been yet as the first second of year 1. */
function startOf(startedAt: string): { readonly startedAt?: string } {
  return Date.parse(startedAt) > 0 ? { startedAt } : {};
}

/** Content identifiers of the images on this machine; absent ones are left out. */
export async function imageIds(references: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const ids = await Promise.all(
    references.map(async (reference) => {
      const ran = await tryDocker(["image", "inspect", "--format", "{{.Id}}", reference]);
      return ran.code === 0 ? ([[reference, ran.stdout.trim()]] as const) : [];
    }),
  );
  return new Map(ids.flat());
}
