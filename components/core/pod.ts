import type * as k8s from "@pulumi/kubernetes";
import type * as pulumi from "@pulumi/pulumi";
import { partLabels, selectorLabels, type KubernetesPlatform, type Part } from "./kubernetes.ts";

type Probe = k8s.types.input.core.v1.Probe;
type Volume = k8s.types.input.core.v1.Volume;

/** CPU in cores or millicores (`250m`), memory in Kubernetes' units (`256Mi`). */
export interface Resources {
  readonly cpuRequest: string;
  readonly cpuLimit: string;
  readonly memoryRequest: string;
  readonly memoryLimit: string;
  /** Writable disk in memory-less emptyDirs and logs. @default "256Mi" */
  readonly diskLimit?: string;
}

/** One container of a pod as a component describes it; everything else is hardened for all containers. */
export interface PodContainer {
  readonly name: string;
  readonly image: pulumi.Input<string>;
  readonly command?: readonly string[];
  readonly args?: readonly pulumi.Input<string>[];
  /** Plain environment; secrets are mounted as files. */
  readonly environment?: Readonly<Record<string, pulumi.Input<string>>>;
  /** Container ports by name. */
  readonly ports?: Readonly<Record<string, number>>;
  /** Mounts of the pod's volumes. */
  readonly mounts?: readonly {
    readonly volume: string;
    readonly path: string;
    /** @default true */
    readonly readOnly?: boolean;
    readonly subPath?: string;
  }[];
  readonly resources: Resources;
  readonly startup?: Probe;
  readonly readiness?: Probe;
  readonly liveness?: Probe;
  /**
   * Seconds between the removal from the endpoints and SIGTERM, in which routers receive the removal. Kubernetes >= 1.30
   * sleeps, so the image needs no shell.
   */
  readonly preStopSeconds?: number;
}

/** A pod as a component describes it. */
export interface PodSpec extends Part {
  /** UID and GID of all processes and of the volumes; at least 10000, so that no account of the node has it. */
  readonly uid: number;
  readonly serviceAccount: pulumi.Input<string>;
  readonly containers: readonly PodContainer[];
  /** Run one after the other before the containers. */
  readonly initContainers?: readonly PodContainer[];
  readonly volumes?: readonly Volume[];
  /** Writable directories: path to size, e.g. `{"/tmp": "64Mi"}`; every container has them. */
  readonly scratch?: Readonly<Record<string, string>>;
  /** Seconds between the deletion and SIGKILL, the preStop sleep included. @default 30 */
  readonly graceSeconds?: number;
  /** `Never` or `OnFailure` for jobs. @default "Always" */
  readonly restartPolicy?: "Always" | "OnFailure" | "Never";
  /** Spread over nodes and zones, where there is more than one. @default false */
  readonly spread?: boolean;
  /** Run on the node of the part's other pods, which share a ReadWriteOnce volume. @default false */
  readonly together?: boolean;
  /** Mount the account's token: only for pods that call the Kubernetes API. @default false */
  readonly apiToken?: boolean;
  readonly annotations?: Readonly<Record<string, pulumi.Input<string>>>;
}

/**
 * Pod template of a spec: Pod Security Standard "restricted", read-only root file system, no service-account token,
 * requests and limits on every container; pure.
 */
export function podTemplate(
  spec: PodSpec,
  platform: KubernetesPlatform,
): k8s.types.input.core.v1.PodTemplateSpec & { spec: k8s.types.input.core.v1.PodSpec } {
  const scratch = Object.entries(spec.scratch ?? {}).map(([path, size]) => ({ name: scratchName(path), path, size }));
  const selector = { matchLabels: selectorLabels(platform, spec) };
  return {
    metadata: {
      labels: partLabels(platform, spec),
      ...(spec.annotations === undefined ? {} : { annotations: { ...spec.annotations } }),
    },
    spec: {
      serviceAccountName: spec.serviceAccount,
      automountServiceAccountToken: spec.apiToken ?? false,
      enableServiceLinks: false,
      restartPolicy: spec.restartPolicy ?? "Always",
      terminationGracePeriodSeconds: spec.graceSeconds ?? 30,
      securityContext: {
        runAsNonRoot: true,
        runAsUser: spec.uid,
        runAsGroup: spec.uid,
        fsGroup: spec.uid,
        fsGroupChangePolicy: "OnRootMismatch",
        seccompProfile: { type: "RuntimeDefault" },
      },
      ...(spec.spread === true
        ? {
            topologySpreadConstraints: ["topology.kubernetes.io/zone", "kubernetes.io/hostname"].map((topologyKey) => ({
              topologyKey,
              maxSkew: 1,
              // A cluster of one node or zone must still be able to run the stack.
              whenUnsatisfiable: "ScheduleAnyway",
              labelSelector: selector,
              // Without it the pods of the previous release count, and an update can end unevenly spread.
              matchLabelKeys: ["pod-template-hash"],
            })),
          }
        : {}),
      ...(spec.together === true
        ? {
            affinity: {
              podAffinity: {
                // The first pod has no peer and may run on any node.
                requiredDuringSchedulingIgnoredDuringExecution: [
                  { labelSelector: selector, topologyKey: "kubernetes.io/hostname" },
                ],
              },
            },
          }
        : {}),
      ...(spec.initContainers === undefined
        ? {}
        : { initContainers: spec.initContainers.map((container) => containerOf(container, scratch)) }),
      containers: spec.containers.map((container) => containerOf(container, scratch)),
      volumes: [...(spec.volumes ?? []), ...scratch.map(({ name, size }) => ({ name, emptyDir: { sizeLimit: size } }))],
    },
  };
}

function containerOf(
  container: PodContainer,
  scratch: readonly { readonly name: string; readonly path: string }[],
): k8s.types.input.core.v1.Container {
  const { resources } = container;
  const disk = resources.diskLimit ?? "256Mi";
  return {
    name: container.name,
    image: container.image,
    imagePullPolicy: "IfNotPresent",
    ...(container.command === undefined ? {} : { command: [...container.command] }),
    ...(container.args === undefined ? {} : { args: [...container.args] }),
    env: Object.entries(container.environment ?? {})
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, value]) => ({ name, value })),
    ports: Object.entries(container.ports ?? {}).map(([name, containerPort]) => ({
      name,
      containerPort,
      protocol: "TCP",
    })),
    volumeMounts: [
      ...(container.mounts ?? []).map((mount) => ({
        name: mount.volume,
        mountPath: mount.path,
        readOnly: mount.readOnly ?? true,
        ...(mount.subPath === undefined ? {} : { subPath: mount.subPath }),
      })),
      ...scratch.map(({ name, path }) => ({ name, mountPath: path })),
    ],
    resources: {
      requests: { cpu: resources.cpuRequest, memory: resources.memoryRequest, "ephemeral-storage": "32Mi" },
      limits: { cpu: resources.cpuLimit, memory: resources.memoryLimit, "ephemeral-storage": disk },
    },
    securityContext: {
      allowPrivilegeEscalation: false,
      privileged: false,
      readOnlyRootFilesystem: true,
      runAsNonRoot: true,
      capabilities: { drop: ["ALL"] },
    },
    ...(container.startup === undefined ? {} : { startupProbe: container.startup }),
    ...(container.readiness === undefined ? {} : { readinessProbe: container.readiness }),
    ...(container.liveness === undefined ? {} : { livenessProbe: container.liveness }),
    ...(container.preStopSeconds === undefined
      ? {}
      : { lifecycle: { preStop: { sleep: { seconds: container.preStopSeconds } } } }),
  };
}

/** Volume name of a scratch directory: `/tmp` becomes `scratch-tmp`. */
function scratchName(path: string): string {
  return `scratch${path.replaceAll(/[^a-z0-9]+/gi, "-").toLowerCase()}`;
}

/** Probe of an HTTP path; the times are in seconds. */
export function httpProbe(
  path: string,
  port: string,
  times: { readonly period: number; readonly failures: number; readonly timeout?: number },
): Probe {
  return {
    httpGet: { path, port },
    periodSeconds: times.period,
    failureThreshold: times.failures,
    timeoutSeconds: times.timeout ?? 2,
  };
}
