import * as k8s from "@pulumi/kubernetes";
import type * as pulumi from "@pulumi/pulumi";
import { JOBS } from "../../contract/monitoring.ts";
import { ExaiComponent } from "../core/component.ts";
import { metadata, type KubernetesPlatform, type Part } from "../core/kubernetes.ts";
import type { Transform } from "../core/transform.ts";
import { DATABASE_CA_PATH } from "../database/paths.ts";
import { renderAlertmanager } from "./alertmanager.ts";
import { kubernetesJobs, GATEWAY_NAMESPACE, type KubernetesTargets } from "./kubernetes-jobs.ts";
import {
  alertmanagerPod,
  configDigest,
  exporterPod,
  grafanaPod,
  prometheusPod,
  type Storage,
} from "./kubernetes-pods.ts";
import { MonitoringWorkloads } from "./kubernetes-workloads.ts";
import { alertmanagerOpenings, exporterOpenings, grafanaOpenings, prometheusOpenings } from "./network-policies.ts";
import { CONFIG_PATHS } from "./commands.ts";
import { EXPORTER_PATHS, type ExporterDatabase } from "./exporter.ts";
import { baseName, grafanaFiles } from "./grafana.ts";
import { MONITORING_HOSTS, MONITORING_PORTS } from "./docker-jobs.ts";
import { renderPrometheus } from "./prometheus.ts";
import { renderRules } from "./rules.ts";
import type { WatchedBackup } from "./rules/args.ts";
import { DRILL_MAX_AGE_SECONDS } from "./rules/drills.ts";
import { receiverFiles, type AlertTargets } from "./secrets.ts";

export interface KubernetesMonitoringArgs {
  readonly platform: KubernetesPlatform;
  /** Images by digest. */
  readonly images: {
    readonly prometheus: pulumi.Input<string>;
    readonly alertmanager: pulumi.Input<string>;
    readonly postgresExporter: pulumi.Input<string>;
    /** Absent: no Grafana. */
    readonly grafana?: pulumi.Input<string>;
  };
  /** How long Prometheus keeps its data, days. */
  readonly retentionDays: number;
  /** Disk of Prometheus; nine tenths of it are filled at most. */
  readonly storage: Storage;
  /** Memory of Prometheus, MiB: request and limit. @default 1024 */
  readonly memoryMegabytes?: number;
  readonly database: ExporterDatabase & {
    readonly password: pulumi.Input<string>;
    /** CA certificates (PEM) that verify the database server; the URI names them as `DATABASE_CA_PATH`. */
    readonly ca?: string | undefined;
    /** The exporter's own queries, as its YAML. */
    readonly queries: string;
  };
  /** Password of Grafana's user `admin`. */
  readonly grafanaPassword: pulumi.Input<string>;
  readonly backups: readonly WatchedBackup[];
  /** EXAI_WS_PORT. */
  readonly webSocketPort: number;
  readonly gateway: KubernetesTargets["gateway"];
  /** Directory or URL of the runbooks, without a final slash. @default "docs/runbooks" */
  readonly runbooks?: string | undefined;
  readonly alerts?: AlertTargets;
  /** Address ranges of the Kubernetes API server, where they are known. @default any address, on 443 and 6443 */
  readonly apiServerCidrs?: readonly string[];
  /** Escape hatches. */
  readonly transform?: {
    readonly prometheus?: Transform<k8s.apps.v1.StatefulSetArgs>;
    readonly alertmanager?: Transform<k8s.apps.v1.StatefulSetArgs>;
    readonly grafana?: Transform<k8s.apps.v1.DeploymentArgs>;
    readonly postgresExporter?: Transform<k8s.apps.v1.DeploymentArgs>;
  };
}

const PARTS = {
  prometheus: { component: MONITORING_HOSTS.prometheus },
  alertmanager: { component: MONITORING_HOSTS.alertmanager },
  postgresExporter: { component: MONITORING_HOSTS.postgresExporter },
  grafana: { component: MONITORING_HOSTS.grafana },
} as const satisfies Record<string, Part>;

/** Silences and the log of notifications are small. */
const ALERTMANAGER_GIGABYTES = 1;

/** Prometheus, Alertmanager, Grafana and the Postgres exporter in the stack's namespace, not reachable from outside. */
export class KubernetesMonitoring extends ExaiComponent {
  /** URL of Prometheus inside the cluster. */
  readonly prometheusUrl: string;

  readonly #name: string;
  readonly #platform: KubernetesPlatform;
  readonly #workloads: MonitoringWorkloads;

  constructor(name: string, args: KubernetesMonitoringArgs, opts?: pulumi.ComponentResourceOptions) {
    super(
      "exai:monitoring:KubernetesMonitoring",
      name,
      {
        jobs: Object.values(JOBS),
        // Only readers depend on a dashboard.
        withoutScrape: [MONITORING_HOSTS.grafana],
        // Samples and silences expire; dashboards and rules come from the program.
        withoutBackup: [MONITORING_HOSTS.prometheus, MONITORING_HOSTS.alertmanager].map((role) => `${name}-${role}`),
      },
      opts,
    );
    this.#name = name;
    this.#platform = args.platform;
    this.#workloads = new MonitoringWorkloads(name, args.platform, this);
    this.prometheusUrl = `http://${MONITORING_HOSTS.prometheus}:${MONITORING_PORTS.prometheus}`;
    this.#alertmanager(args);
    this.#exporter(args);
    this.#prometheus(args);
    if (args.images.grafana !== undefined) this.#grafana(args, args.images.grafana);
    this.registerOutputs({ prometheusUrl: this.prometheusUrl });
  }

  #prometheus(args: KubernetesMonitoringArgs): void {
    const part = PARTS.prometheus;
    const { platform } = args;
    const files = prometheusFiles(args);
    const config = this.#workloads.config(part, files);
    const account = this.#discoveryAccount(args.gateway.namespace ?? GATEWAY_NAMESPACE);
    this.#workloads.open(part, prometheusOpenings(platform, args.gateway, args.apiServerCidrs));
    this.#workloads.stateful(
      part,
      MONITORING_PORTS.prometheus,
      prometheusPod({
        image: args.images.prometheus,
        account,
        config,
        digest: configDigest(files),
        retention: { days: args.retentionDays, gigabytes: Math.max(1, Math.floor(args.storage.gigabytes * 0.9)) },
        memoryMegabytes: args.memoryMegabytes ?? 1024,
        storage: args.storage,
      }),
      args.storage,
      args.transform?.prometheus,
    );
  }

  #alertmanager(args: KubernetesMonitoringArgs): void {
    const part = PARTS.alertmanager;
    const { receivers, files: secrets } = receiverFiles(args.alerts ?? {});
    const files = { [baseName(CONFIG_PATHS.alertmanager)]: renderAlertmanager(receivers) };
    const storage = { ...args.storage, gigabytes: ALERTMANAGER_GIGABYTES };
    this.#workloads.open(part, alertmanagerOpenings(args.platform));
    this.#workloads.stateful(
      part,
      MONITORING_PORTS.alertmanager,
      alertmanagerPod({
        image: args.images.alertmanager,
        account: this.#workloads.account(part),
        config: this.#workloads.config(part, files),
        digest: configDigest(files),
        secret: Object.keys(secrets).length === 0 ? undefined : this.#workloads.secret(part, secrets),
        storage,
      }),
      storage,
      args.transform?.alertmanager,
    );
  }

  #exporter(args: KubernetesMonitoringArgs): void {
    const part = PARTS.postgresExporter;
    const files = { [baseName(EXPORTER_PATHS.queries)]: args.database.queries };
    this.#workloads.open(part, exporterOpenings(args.platform));
    this.#workloads.stateless(
      part,
      MONITORING_PORTS.postgresExporter,
      exporterPod({
        image: args.images.postgresExporter,
        account: this.#workloads.account(part),
        config: this.#workloads.config(part, files),
        digest: configDigest(files),
        secret: this.#workloads.secret(part, {
          [EXPORTER_PATHS.password]: args.database.password,
          ...(args.database.ca === undefined ? {} : { [DATABASE_CA_PATH]: args.database.ca }),
        }),
        database: args.database,
      }),
      args.transform?.postgresExporter,
    );
  }

  #grafana(args: KubernetesMonitoringArgs, image: pulumi.Input<string>): void {
    const part = PARTS.grafana;
    const paths = grafanaFiles({ prometheusUrl: this.prometheusUrl, walArchive: false });
    const files = Object.fromEntries(Object.entries(paths).map(([path, content]) => [configKey(path), content]));
    this.#workloads.open(part, grafanaOpenings(args.platform));
    this.#workloads.stateless(
      part,
      MONITORING_PORTS.grafana,
      grafanaPod({
        image,
        account: this.#workloads.account(part),
        config: this.#workloads.config(part, files),
        digest: configDigest(files),
        keys: Object.keys(paths).map((path) => ({ key: configKey(path), path })),
        secret: this.#workloads.secret(part, { "grafana-admin": args.grafanaPassword }),
      }),
      args.transform?.grafana,
    );
  }

  /** The only account with permissions: it may list pods, in the stack's namespace and in that of the proxies. */
  #discoveryAccount(gatewayNamespace: string): pulumi.Output<string> {
    const part = PARTS.prometheus;
    const account = this.#workloads.account(part);
    for (const [suffix, namespace] of [
      ["own", this.#platform.namespace],
      ["gateway", gatewayNamespace],
    ] as const) {
      // Several stacks may share the proxies' namespace, so their names differ there.
      const meta = { ...metadata(this.#platform, part, `${this.#platform.instance}-prometheus`), namespace };
      const role = new k8s.rbac.v1.Role(
        `${this.#name}-discovery-${suffix}`,
        { metadata: meta, rules: [{ apiGroups: [""], resources: ["pods"], verbs: ["get", "list", "watch"] }] },
        { parent: this },
      );
      new k8s.rbac.v1.RoleBinding(
        `${this.#name}-discovery-${suffix}-binding`,
        {
          metadata: meta,
          roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: role.metadata.name },
          subjects: [{ kind: "ServiceAccount", name: account, namespace: this.#platform.namespace }],
        },
        { parent: this },
      );
    }
    return account;
  }
}

/** Configuration and rules of the cluster's Prometheus, by file name; pure. */
export function prometheusFiles(
  args: Pick<KubernetesMonitoringArgs, "backups" | "webSocketPort" | "gateway" | "runbooks"> & {
    readonly platform: Pick<KubernetesPlatform, "instance" | "stack">;
  },
): Readonly<Record<string, string>> {
  const { instance, stack } = args.platform;
  return {
    [baseName(CONFIG_PATHS.prometheus)]: renderPrometheus({
      externalLabels: { stack, exai_instance: instance },
      // The namespace has the name of the instance.
      jobs: kubernetesJobs({ instance, namespace: instance, webSocketPort: args.webSocketPort, gateway: args.gateway }),
      alertmanagers: [`${MONITORING_HOSTS.alertmanager}:${MONITORING_PORTS.alertmanager}`],
      ruleFiles: [CONFIG_PATHS.rules],
    }),
    [baseName(CONFIG_PATHS.rules)]: renderRules({
      jobs: Object.values(JOBS),
      backups: args.backups,
      drills: {
        maxAgeSeconds: DRILL_MAX_AGE_SECONDS,
        // The newest dump is as old as the most frequent schedule lets it become: the recovery point of the dumps alone.
        recoveryPointSeconds: Math.min(...args.backups.map(({ maxAgeSeconds }) => maxAgeSeconds)),
      },
      ...(args.runbooks === undefined ? {} : { runbooks: args.runbooks }),
    }),
  };
}

/** Keys of a ConfigMap cannot contain a slash. */
function configKey(path: string): string {
  return path.slice(1).replaceAll("/", "_");
}
