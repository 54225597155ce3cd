import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import { LABELS } from "../../contract/labels.ts";
import type { ContainerSpec, DockerPlatform } from "./container-spec.ts";
import { FILES_LABEL, mountedFiles, type MountedFiles } from "./files.ts";
import { transformed, type Transform } from "./transform.ts";

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
    intervalSeconds: interval = 15,
    timeoutSeconds: timeout = 10,
    retries = 3,
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
  const networks = platform.networks(spec.component);
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
    networksAdvanced: networks.map((name) => ({ name, aliases: [spec.component] })),
    ...(networks.length === 0 ? { networkMode: "none" } : {}),
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
    // If it must run, a refresh takes one that was stopped for drift, and the next `up` starts it.
    mustRun: spec.mayStop !== true,
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

/** Whole seconds as the Docker daemon spells a duration: `45s`, `1m30s`, `1h0m0s`. */
export function durationText(seconds: number): string {
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor(seconds / 60) % 60;
  return `${hours > 0 ? `${hours}h` : ""}${seconds >= 60 ? `${minutes}m` : ""}${seconds % 60}s`;
}
