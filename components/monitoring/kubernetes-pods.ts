import { createHash } from "node:crypto";
import { dirname } from "node:path/posix";
import type * as k8s from "@pulumi/kubernetes";
import type * as pulumi from "@pulumi/pulumi";
import { SECRETS_DIRECTORY } from "../../contract/server.ts";
import { httpProbe, type PodContainer, type PodSpec } from "../core/pod.ts";
import { SECRETS_DIGEST, type MountedSecret } from "../secrets/kubernetes.ts";
import {
  alertmanagerArguments,
  CONFIG_PATHS,
  GRAFANA_ENVIRONMENT,
  prometheusArguments,
  type Retention,
} from "./commands.ts";
import { exporterArguments, exporterEnvironment, EXPORTER_PATHS, type ExporterDatabase } from "./exporter.ts";
import { MONITORING_HOSTS, MONITORING_PORTS } from "./docker-jobs.ts";

type Volume = k8s.types.input.core.v1.Volume;

/** Where a part keeps its data: a claimed volume, or a directory that goes with the pod (for trials). */
export interface Storage {
  readonly kind: "volume" | "ephemeral";
  readonly gigabytes: number;
  /** Storage class; the cluster's default if absent. */
  readonly storageClass?: string | undefined;
}

/** What every pod of the monitoring has. */
interface PodArgs {
  readonly image: pulumi.Input<string>;
  /** Name of the ServiceAccount. */
  readonly account: pulumi.Input<string>;
  /** Name of the ConfigMap. */
  readonly config: pulumi.Input<string>;
  /** Changes with the ConfigMap's content, so that the pod is replaced and reads it. */
  readonly digest: string;
}

type Secret = Pick<MountedSecret, "secretName" | "digest">;

/** Annotation of a pod template with the digest of its mounted configuration. */
const CONFIG_DIGEST = "exai.config-digest";

/** UID of Prometheus, Alertmanager and the exporter in their images. */
const NOBODY_UID = 65_534;

/** Grafana's own 472 may belong to an account of the node; the image runs as any user that owns its data directory. */
const GRAFANA_UID = 10_472;

/** Where Kubernetes' clients look for the account's token. */
const TOKEN_DIRECTORY = "/var/run/secrets/kubernetes.io/serviceaccount";

/** Seconds that a token of Prometheus is good for; the kubelet renews it. */
const TOKEN_SECONDS = 3600;

/** First 64 bits of a SHA-256 over file names and contents. */
export function configDigest(files: Readonly<Record<string, string>>): string {
  const ordered = Object.entries(files).sort(([a], [b]) => (a < b ? -1 : 1));
  return createHash("sha256").update(JSON.stringify(ordered)).digest("hex").slice(0, 16);
}

/** Pod of Prometheus: the only one with a token, for the discovery of pods. */
export function prometheusPod(
  args: PodArgs & {
    readonly retention: Retention;
    readonly memoryMegabytes: number;
    readonly storage: Storage;
  },
): PodSpec {
  return {
    component: MONITORING_HOSTS.prometheus,
    uid: NOBODY_UID,
    serviceAccount: args.account,
    graceSeconds: 60,
    annotations: { [CONFIG_DIGEST]: args.digest },
    volumes: [
      configVolume(args.config),
      ...ephemeral(args.storage),
      {
        name: "token",
        projected: {
          defaultMode: 0o440,
          sources: [
            { serviceAccountToken: { path: "token", expirationSeconds: TOKEN_SECONDS } },
            { configMap: { name: "kube-root-ca.crt", items: [{ key: "ca.crt", path: "ca.crt" }] } },
            {
              downwardAPI: {
                items: [{ path: "namespace", fieldRef: { apiVersion: "v1", fieldPath: "metadata.namespace" } }],
              },
            },
          ],
        },
      },
    ],
    containers: [
      {
        name: MONITORING_HOSTS.prometheus,
        image: args.image,
        args: prometheusArguments(args.retention),
        ports: { http: MONITORING_PORTS.prometheus },
        mounts: [
          { volume: "config", path: dirname(CONFIG_PATHS.prometheus) },
          { volume: "data", path: CONFIG_PATHS.prometheusData, readOnly: false },
          { volume: "token", path: TOKEN_DIRECTORY },
        ],
        resources: {
          cpuRequest: "200m",
          cpuLimit: "1",
          memoryRequest: `${args.memoryMegabytes}Mi`,
          memoryLimit: `${args.memoryMegabytes}Mi`,
          ...(args.storage.kind === "ephemeral" ? { diskLimit: `${args.storage.gigabytes + 1}Gi` } : {}),
        },
        // The log of a large Prometheus is read again at the start, which takes minutes.
        ...probes("/-/ready", "/-/healthy", 150),
      },
    ],
  };
}

/** Pod of Alertmanager. */
export function alertmanagerPod(
  args: PodArgs & { readonly secret: Secret | undefined; readonly storage: Storage },
): PodSpec {
  return {
    component: MONITORING_HOSTS.alertmanager,
    uid: NOBODY_UID,
    serviceAccount: args.account,
    annotations: annotations(args.digest, args.secret),
    volumes: [configVolume(args.config), ...secretVolume(args.secret), ...ephemeral(args.storage)],
    containers: [
      {
        name: MONITORING_HOSTS.alertmanager,
        image: args.image,
        args: alertmanagerArguments(),
        ports: { http: MONITORING_PORTS.alertmanager },
        mounts: [
          { volume: "config", path: dirname(CONFIG_PATHS.alertmanager) },
          { volume: "data", path: CONFIG_PATHS.alertmanagerData, readOnly: false },
          ...secretMount(args.secret),
        ],
        resources: {
          cpuRequest: "20m",
          cpuLimit: "200m",
          memoryRequest: "64Mi",
          memoryLimit: "128Mi",
          ...(args.storage.kind === "ephemeral" ? { diskLimit: `${args.storage.gigabytes + 1}Gi` } : {}),
        },
        ...probes("/-/ready", "/-/healthy", 30),
      },
    ],
  };
}

/** Pod of the Postgres exporter. It is ready without a database: that Postgres is down is what it reports. */
export function exporterPod(args: PodArgs & { readonly secret: Secret; readonly database: ExporterDatabase }): PodSpec {
  return {
    component: MONITORING_HOSTS.postgresExporter,
    uid: NOBODY_UID,
    serviceAccount: args.account,
    annotations: annotations(args.digest, args.secret),
    volumes: [configVolume(args.config), ...secretVolume(args.secret)],
    containers: [
      {
        name: MONITORING_HOSTS.postgresExporter,
        image: args.image,
        args: exporterArguments(),
        environment: exporterEnvironment(args.database),
        ports: { http: MONITORING_PORTS.postgresExporter },
        mounts: [{ volume: "config", path: dirname(EXPORTER_PATHS.queries) }, ...secretMount(args.secret)],
        resources: { cpuRequest: "20m", cpuLimit: "200m", memoryRequest: "64Mi", memoryLimit: "64Mi" },
        ...probes("/", "/", 30),
      },
    ],
  };
}

/** Pod of Grafana. All it shows is provisioned, so it keeps nothing. */
export function grafanaPod(
  args: PodArgs & {
    /** Entries of the ConfigMap and the paths at which Grafana reads them. */
    readonly keys: readonly { readonly key: string; readonly path: string }[];
    readonly secret: Secret;
  },
): PodSpec {
  const directories = [...Map.groupBy(args.keys, ({ path }) => dirname(path))].map(([directory, keys], index) => ({
    name: `config-${index}`,
    directory,
    items: keys.map(({ key, path }) => ({ key, path: path.slice(directory.length + 1) })),
  }));
  return {
    component: MONITORING_HOSTS.grafana,
    uid: GRAFANA_UID,
    serviceAccount: args.account,
    annotations: annotations(args.digest, args.secret),
    scratch: { "/tmp": "128Mi", [CONFIG_PATHS.grafanaData]: "512Mi" },
    volumes: [
      ...directories.map(({ name, items }) => ({ name, configMap: { name: args.config, items } })),
      ...secretVolume(args.secret),
    ],
    containers: [
      {
        name: MONITORING_HOSTS.grafana,
        image: args.image,
        environment: GRAFANA_ENVIRONMENT,
        ports: { http: MONITORING_PORTS.grafana },
        mounts: [
          ...directories.map(({ name, directory }) => ({ volume: name, path: directory })),
          ...secretMount(args.secret),
        ],
        resources: {
          cpuRequest: "100m",
          cpuLimit: "500m",
          memoryRequest: "384Mi",
          memoryLimit: "384Mi",
          diskLimit: "1Gi",
        },
        ...probes("/api/health", "/api/health", 60),
      },
    ],
  };
}

/** `attempts` every two seconds for the start; then out of the Service after 15 s without an answer, restarted after 60 s. */
function probes(
  ready: string,
  alive: string,
  attempts: number,
): Pick<PodContainer, "startup" | "readiness" | "liveness"> {
  return {
    startup: httpProbe(ready, "http", { period: 2, failures: attempts, timeout: 3 }),
    readiness: httpProbe(ready, "http", { period: 5, failures: 3, timeout: 3 }),
    liveness: httpProbe(alive, "http", { period: 10, failures: 6, timeout: 5 }),
  };
}

function annotations(digest: string, secret: Secret | undefined): Record<string, pulumi.Input<string>> {
  return { [CONFIG_DIGEST]: digest, ...(secret === undefined ? {} : { [SECRETS_DIGEST]: secret.digest }) };
}

function configVolume(name: pulumi.Input<string>): Volume {
  return { name: "config", configMap: { name, defaultMode: 0o444 } };
}

function secretVolume(secret: Secret | undefined): Volume[] {
  return secret === undefined
    ? []
    : [{ name: "secrets", secret: { secretName: secret.secretName, defaultMode: 0o440 } }];
}

function secretMount(secret: Secret | undefined): { volume: string; path: string }[] {
  return secret === undefined ? [] : [{ volume: "secrets", path: SECRETS_DIRECTORY }];
}

/** A claimed volume comes from the StatefulSet's template. */
function ephemeral(storage: Storage): Volume[] {
  return storage.kind === "volume" ? [] : [{ name: "data", emptyDir: { sizeLimit: `${storage.gigabytes}Gi` } }];
}
