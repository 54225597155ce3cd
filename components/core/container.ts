import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import { LABELS } from "../../contract/labels.ts";
import type { Slot } from "../../contract/slots.ts";
import { FILES_LABEL, mountedFiles, type MountedFiles } from "./files.ts";
import { transformed, type Transform } from "./transform.ts";

/** What every container of one local instance shares. */
export interface DockerPlatform {
  /** Prefix of the names of containers, networks and volumes; unique per instance on one Docker engine. */
  readonly instance: string;
  readonly stack: string;
  /** Name of the instance's bridge network; a container is reached there by its component name. */
  readonly network: pulumi.Input<string>;
}

/** A file that the container sees at `path`; it never becomes part of the image or of the environment. */
export interface MountedFile {
  /** Absolute path. Its directory becomes a volume of the container, so it must hold nothing else that is needed. */
  readonly path: string;
  readonly content: pulumi.Input<string>;
  /** Marks the content secret. @default false */
  readonly secret?: boolean;
}

/** A port of the container on the host. */
export interface PublishedPort {
  readonly internal: number;
  readonly external: number;
  /** Host address. @default "127.0.0.1" */
  readonly address?: string;
}

export interface HealthCheck {
  /** Docker's form: `["CMD", program, …]` or `["CMD-SHELL", script]`. */
  readonly test: readonly string[];
  /** Seconds between two checks. @default 5 */
  readonly intervalSeconds?: number;
  /** Seconds until a check counts as failed. @default 3 */
  readonly timeoutSeconds?: number;
  /** Failures in a row until the container counts as unhealthy. @default 5 */
  readonly retries?: number;
  /** Seconds after the start in which failures do not count. @default 30 */
  readonly startPeriodSeconds?: number;
}

/** A container as a component describes it. Everything else (privileges, capabilities, …) is hardened for all containers. */
export interface ContainerSpec {
  /** Role: the name on the network, the Compose service and the label. */
  readonly component: string;
  /** Slot, for a server's container. */
  readonly slot?: Slot;
  readonly image: pulumi.Input<string>;
  /** Numeric `uid:gid`; never root. */
  readonly user: string;
  /** Supplementary groups, numeric. */
  readonly groups?: readonly string[];
  readonly entrypoint?: readonly string[];
  readonly command?: readonly string[];
  /** Plain environment; secrets are {@link MountedFile}s. */
  readonly environment?: Readonly<Record<string, pulumi.Input<string>>>;
  readonly files?: readonly MountedFile[];
  /** Named volumes. */
  readonly volumes?: readonly {
    readonly name: pulumi.Input<string>;
    readonly path: string;
    readonly readOnly?: boolean;
  }[];
  /** Directories of the host, absolute. */
  readonly binds?: readonly {
    readonly hostPath: pulumi.Input<string>;
    readonly path: string;
    readonly readOnly?: boolean;
  }[];
  /** Writable memory-backed directories: path to mount options, e.g. `{"/tmp": "size=16m,mode=1777"}`. */
  readonly tmpfs?: Readonly<Record<string, string>>;
  readonly ports?: readonly PublishedPort[];
  /** Hard limit in MiB; swap is off. */
  readonly memoryMegabytes: number;
  /** Hard limit in cores, e.g. 0.5. */
  readonly cpus: number;
  /** Hard limit of processes and threads. Compose sets it per container; the Docker provider only per user (nproc). */
  readonly pids: number;
  readonly healthCheck: HealthCheck;
  /** Seconds between SIGTERM and SIGKILL. @default 10 */
  readonly graceSeconds?: number;
}

/**
 * The `docker.Container` of a spec: non-root, read-only root, no capabilities, no new privileges, limits, a health
 * check, bounded restarts, ports on loopback, bounded logs.
 */
export function hardenedContainer(
  name: string,
  spec: ContainerSpec,
  platform: DockerPlatform,
  opts: pulumi.CustomResourceOptions,
  transform?: Transform<docker.ContainerArgs>,
): docker.Container {
  const files =
    spec.files === undefined || spec.files.length === 0
      ? undefined
      : mountedFiles(name, spec, spec.files, containerArgs(spec, platform), platform, opts);
  return new docker.Container(
    ...transformed(transform, name, containerArgs(spec, platform, files), {
      // Host ports are fixed, and the provider would otherwise create the new container before it deletes the old one.
      deleteBeforeReplace: true,
      ...opts,
    }),
  );
}

/** Extra seconds that a busy machine may need to create and start a container. */
const WAIT_MARGIN_SECONDS = 30;

/** The arguments behind {@link hardenedContainer}, with the files that its carrier brought; pure. */
export function containerArgs(
  spec: ContainerSpec,
  platform: DockerPlatform,
  files?: MountedFiles,
): docker.ContainerArgs {
  const {
    intervalSeconds: interval = 5,
    timeoutSeconds: timeout = 3,
    retries = 5,
    startPeriodSeconds: startPeriod = 30,
    ...check
  } = spec.healthCheck;
  const labels: Record<string, pulumi.Input<string>> = {
    [LABELS.instance]: platform.instance,
    [LABELS.stack]: platform.stack,
    [LABELS.component]: spec.component,
    ...(spec.slot === undefined ? {} : { [LABELS.slot]: spec.slot }),
    ...(files === undefined ? {} : { [FILES_LABEL]: files.carrier }),
  };
  return {
    name: `${platform.instance}-${spec.component}`,
    hostname: spec.component,
    image: spec.image,
    user: spec.user,
    ...(spec.groups === undefined ? {} : { groupAdds: [...spec.groups] }),
    ...(spec.entrypoint === undefined ? {} : { entrypoints: [...spec.entrypoint] }),
    ...(spec.command === undefined ? {} : { command: [...spec.command] }),
    envs: Object.entries(spec.environment ?? {})
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, value]) => pulumi.output(value).apply((text) => `${key}=${text}`)),
    volumes: [
      ...[...(files?.volumes ?? [])].map(([containerPath, volumeName]) => ({
        volumeName,
        containerPath,
        readOnly: true,
      })),
      ...(spec.volumes ?? []).map((volume) => ({
        volumeName: volume.name,
        containerPath: volume.path,
        readOnly: volume.readOnly ?? false,
      })),
      ...(spec.binds ?? []).map((bind) => ({
        hostPath: bind.hostPath,
        containerPath: bind.path,
        readOnly: bind.readOnly ?? false,
      })),
    ],
    ...(spec.tmpfs === undefined ? {} : { tmpfs: { ...spec.tmpfs } }),
    ports: (spec.ports ?? []).map((port) => ({
      internal: port.internal,
      external: port.external,
      ip: port.address ?? "127.0.0.1",
      protocol: "tcp",
    })),
    networksAdvanced: [{ name: platform.network, aliases: [spec.component] }],
    readOnly: true,
    privileged: false,
    capabilities: { drops: ["ALL"] },
    securityOpts: ["no-new-privileges:true"],
    init: true,
    memory: spec.memoryMegabytes,
    memorySwap: spec.memoryMegabytes,
    cpus: cpusText(spec.cpus),
    ulimits: [{ name: "nproc", soft: spec.pids, hard: spec.pids }],
    restart: "on-failure",
    maxRetryCount: 5,
    healthcheck: {
      tests: [...check.test],
      interval: durationText(interval),
      timeout: durationText(timeout),
      retries,
      startPeriod: durationText(startPeriod),
    },
    destroyGraceSeconds: spec.graceSeconds ?? 10,
    stopTimeout: spec.graceSeconds ?? 10,
    stopSignal: "SIGTERM",
    logDriver: "json-file",
    logOpts: { "max-size": "10m", "max-file": "3" },
    labels: Object.entries(labels).map(([label, value]) => ({ label, value })),
    mustRun: true,
    // The engine waits for health, and stops waiting soon after Docker would report the container unhealthy.
    wait: true,
    waitTimeout: startPeriod + retries * (interval + timeout) + WAIT_MARGIN_SECONDS,
  };
}

/**
 * Cores as the Docker provider spells them when it reads a container back (`1.0`, `0.25`): any other spelling is a
 * difference that replaces the container on every `up`.
 */
export function cpusText(cores: number): string {
  const nano = cores.toFixed(9);
  return nano.split("0").length - 1 === 9 ? cores.toFixed(1) : nano.replace(/0+$/, "");
}

/** Whole seconds as the Docker engine spells a duration: `45s`, `1m30s`, `1h0m0s`. */
export function durationText(seconds: number): string {
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor(seconds / 60) % 60;
  return `${hours > 0 ? `${hours}h` : ""}${seconds >= 60 ? `${minutes}m` : ""}${seconds % 60}s`;
}
