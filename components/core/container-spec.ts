import type * as pulumi from "@pulumi/pulumi";
import type { Slot } from "../../contract/slots.ts";

/** What every container of one local instance shares. */
export interface DockerPlatform {
  /** Prefix of the names of containers, networks and volumes; unique per instance on one Docker daemon. */
  readonly instance: string;
  readonly stack: string;
  /** Names of the networks that a component is on; it is reached there by its name. None: it has no network. */
  readonly networks: (component: string) => readonly pulumi.Input<string>[];
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
  /** Seconds between two checks, and until the first. Each starts a process in the container. @default 15 */
  readonly intervalSeconds?: number;
  /**
   * Seconds until a check counts as failed. On a busy machine the start of its process alone takes seconds, so a program that can limits the
   * time of the answer itself. @default 10
   */
  readonly timeoutSeconds?: number;
  /** Failures in a row until the container counts as unhealthy. @default 3 */
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
  /** Whether an operation may stop it for a while: a rollout stops the slot that it has drained. @default false */
  readonly mayStop?: boolean;
  /** Seconds between SIGTERM and SIGKILL. @default 10 */
  readonly graceSeconds?: number;
}
