import { LABELS } from "../../contract/labels.ts";
import { docker, DockerError, tryDocker } from "../../operations/docker/cli.ts";

/** A container of the instance as the Docker engine sees it. */
export interface RunningContainer {
  readonly id: string;
  readonly name: string;
  readonly component: string;
  readonly image: string;
  /** Content identifier of the image that it was made from. */
  readonly imageId: string;
  /** `running`, `restarting`, `exited`, … */
  readonly state: string;
  /** `healthy`, `unhealthy`, `starting`, or empty where there is no check. */
  readonly health: string;
  /** Hash of the definition it was made from; empty where the engine, and not Compose, made it. */
  readonly hash: string;
  readonly restarts: number;
  readonly startedAt: string;
  /** Exit code of the last run, where it has ended. */
  readonly exitCode: number;
  /** Ports on the host, `127.0.0.1:8080->8080`. */
  readonly ports: readonly string[];
}

interface Inspected {
  Id: string;
  Name: string;
  Image: string;
  RestartCount: number;
  Config: { Image: string; Labels: Record<string, string> | null };
  State: { Status: string; ExitCode: number; StartedAt: string; Health?: { Status: string } };
  HostConfig: { PortBindings: Record<string, { HostIp: string; HostPort: string }[] | null> | null };
}

/** Identifiers of all containers of an instance, stopped ones too, youngest first. */
export async function containerIds(instance: string): Promise<readonly string[]> {
  return (await docker(["ps", "-aq", "--filter", `label=${LABELS.instance}=${instance}`])).split(/\s+/).filter(Boolean);
}

/**
 * The containers of an instance, stopped ones too, by component. Of two, the younger counts: a Compose that is killed
 * while it replaces a container leaves the old one behind.
 */
export async function containersOf(instance: string): Promise<ReadonlyMap<string, RunningContainer>> {
  for (;;) {
    const ids = await containerIds(instance);
    if (ids.length === 0) return new Map();
    const ran = await tryDocker(["inspect", ...ids]);
    // A container that went between the two commands: the list is asked for again.
    if (ran.code !== 0 && /no such (object|container)/i.test(ran.stderr)) continue;
    if (ran.code !== 0) throw new DockerError(["inspect", ...ids], ran.stderr);
    const inspected = JSON.parse(ran.stdout) as Inspected[];
    return new Map(
      inspected
        .reverse()
        .map((raw) => containerOf(raw))
        .map((container) => [container.component, container]),
    );
  }
}

/**
 * Whether Compose made an instance's component, and not the engine; undefined where there is none. One question to Docker:
 * a rollback waits for it.
 */
export async function madeByCompose(instance: string, component: string): Promise<boolean | undefined> {
  const filters = [`${LABELS.instance}=${instance}`, `${LABELS.component}=${component}`].flatMap((label) => [
    "--filter",
    `label=${label}`,
  ]);
  const hashes = await docker(["ps", "--all", ...filters, "--format", `hash={{.Label "${LABELS.configHash}"}}`]);
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
    hash: labels[LABELS.configHash] ?? "",
    restarts: raw.RestartCount,
    startedAt: raw.State.StartedAt,
    exitCode: raw.State.ExitCode,
    ports: Object.entries(raw.HostConfig.PortBindings ?? {}).flatMap(([inside, outside]) =>
      (outside ?? []).map((port) => `${port.HostIp}:${port.HostPort}->${inside.replace("/tcp", "")}`),
    ),
  };
}

/** Content identifiers of images on the engine; absent ones are left out. */
export async function imageIds(references: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const ids = await Promise.all(
    references.map(async (reference) => {
      const ran = await tryDocker(["image", "inspect", "--format", "{{.Id}}", reference]);
      return ran.code === 0 ? ([[reference, ran.stdout.trim()]] as const) : [];
    }),
  );
  return new Map(ids.flat());
}
