import * as docker from "@pulumi/docker";
import type * as pulumi from "@pulumi/pulumi";
import { LABELS } from "../../contract/labels.ts";
import { JOBS } from "../../contract/monitoring.ts";
import { ExaiComponent } from "../core/component.ts";
import type { ContainerSpec, DockerPlatform, MountedFile } from "../core/container-spec.ts";
import { hardenedContainer } from "../core/container.ts";
import { transformed, type Transform } from "../core/transform.ts";
import { renderAlertmanager } from "./alertmanager.ts";
import {
  alertmanagerArguments,
  CONFIG_PATHS,
  GRAFANA_ENVIRONMENT,
  GRAFANA_PASSWORD_FILE,
  prometheusArguments,
} from "./commands.ts";
import { exporterArguments, exporterEnvironment, EXPORTER_PATHS, type ExporterDatabase } from "./exporter.ts";
import { grafanaFiles } from "./grafana.ts";
import { dockerJobs, MONITORING_HOSTS, MONITORING_PORTS, type DockerTargets } from "./docker-jobs.ts";
import { renderPrometheus } from "./prometheus.ts";
import { renderRules } from "./rules.ts";
import type { RulesArgs, WatchedBackup } from "./rules/args.ts";
import { DRILL_MAX_AGE_SECONDS } from "./rules/drills.ts";
import { receiverFiles, type AlertTargets } from "./secrets.ts";

export interface DockerMonitoringArgs {
  readonly platform: DockerPlatform;
  readonly images: {
    readonly prometheus: pulumi.Input<string>;
    readonly alertmanager: pulumi.Input<string>;
    readonly postgresExporter: pulumi.Input<string>;
    /** Absent: no Grafana. */
    readonly grafana?: pulumi.Input<string>;
  };
  /** Ports on loopback. */
  readonly ports: { readonly prometheus: number; readonly alertmanager: number; readonly grafana: number };
  /** How long Prometheus keeps its data, days. */
  readonly retentionDays: number;
  /** Most disk that Prometheus takes, gigabytes. @default 2 */
  readonly retentionGigabytes?: number;
  readonly database: ExporterDatabase & {
    readonly password: pulumi.Input<string>;
    /** The exporter's own queries, as its YAML. */
    readonly queries: string;
  };
  /** Password of Grafana's user `admin`; needed where there is a Grafana. */
  readonly grafanaPassword?: pulumi.Input<string>;
  readonly backups: readonly WatchedBackup[];
  /** Oldest WAL segment that may not be in the archive yet, seconds; absent: the log is not archived. @default 900 */
  readonly walMaxAgeSeconds?: number;
  readonly targets?: DockerTargets;
  readonly alerts?: AlertTargets;
  /** Escape hatches. */
  readonly transform?: {
    readonly prometheus?: Transform<docker.ContainerArgs>;
    readonly alertmanager?: Transform<docker.ContainerArgs>;
    readonly grafana?: Transform<docker.ContainerArgs>;
    readonly postgresExporter?: Transform<docker.ContainerArgs>;
    readonly volume?: Transform<docker.VolumeArgs>;
  };
}

/** UID and GID of Prometheus, Alertmanager and the exporter in their images. */
const NOBODY_UID = "65534:65534";

/** UID and GID of Grafana in its image. */
const GRAFANA_USER = "472:472";

/** Docker's provider counts processes per user, and three of the containers share one. */
const PIDS = 400;

const TMP = { "/tmp": "size=32m,mode=1777,nosuid,nodev,noexec" } as const;

/** Prometheus, Alertmanager, the Postgres exporter and, if its image is available, Grafana, on Docker. */
export class DockerMonitoring extends ExaiComponent {
  readonly prometheus: docker.Container;
  readonly alertmanager: docker.Container;
  readonly postgresExporter: docker.Container;
  readonly grafana: docker.Container | undefined;
  /** Where they are reached from this machine. */
  readonly urls: { readonly prometheus: string; readonly alertmanager: string; readonly grafana?: string };

  constructor(name: string, args: DockerMonitoringArgs, opts?: pulumi.ComponentResourceOptions) {
    super(
      "exai:monitoring:DockerMonitoring",
      name,
      {
        jobs: Object.values(JOBS),
        // Only readers depend on a dashboard.
        withoutScrape: [MONITORING_HOSTS.grafana],
        // Samples and silences expire; dashboards and rules come from the program.
        withoutBackup: [MONITORING_HOSTS.prometheus, MONITORING_HOSTS.alertmanager, MONITORING_HOSTS.grafana].map(
          (role) => `${name}-${role}-data`,
        ),
      },
      opts,
    );
    const { platform, transform, ports } = args;
    const volume = (role: string): pulumi.Output<string> =>
      new docker.Volume(
        ...transformed(
          transform?.volume,
          `${name}-${role}-data`,
          {
            name: `${platform.instance}-${role}`,
            labels: [
              { label: LABELS.instance, value: platform.instance },
              { label: LABELS.stack, value: platform.stack },
              { label: LABELS.component, value: role },
            ],
          },
          { parent: this },
        ),
      ).name;
    const container = (spec: ContainerSpec, hatch: Transform<docker.ContainerArgs> | undefined): docker.Container =>
      hardenedContainer(`${name}-${spec.component}`, spec, platform, { parent: this }, hatch);

    this.alertmanager = container(
      alertmanagerSpec(args, volume(MONITORING_HOSTS.alertmanager)),
      transform?.alertmanager,
    );
    this.postgresExporter = container(exporterSpec(args), transform?.postgresExporter);
    this.prometheus = container(prometheusSpec(args, volume(MONITORING_HOSTS.prometheus)), transform?.prometheus);
    this.grafana =
      args.images.grafana === undefined
        ? undefined
        : container(grafanaSpec(args, args.images.grafana, volume(MONITORING_HOSTS.grafana)), transform?.grafana);
    this.urls = {
      prometheus: `http://127.0.0.1:${ports.prometheus}`,
      alertmanager: `http://127.0.0.1:${ports.alertmanager}`,
      ...(this.grafana === undefined ? {} : { grafana: `http://127.0.0.1:${ports.grafana}` }),
    };
    this.registerOutputs({ urls: this.urls });
  }
}

/** What the rules of the local stack are made for. */
export function localRules(args: Pick<DockerMonitoringArgs, "backups" | "walMaxAgeSeconds">): RulesArgs {
  return {
    jobs: Object.values(JOBS),
    backups: args.backups,
    walArchive: { maxAgeSeconds: args.walMaxAgeSeconds ?? 900 },
    drills: { maxAgeSeconds: DRILL_MAX_AGE_SECONDS },
  };
}

/** Prometheus' container; pure. */
export function prometheusSpec(args: DockerMonitoringArgs, data: pulumi.Input<string>): ContainerSpec {
  const { platform } = args;
  const hosts = MONITORING_HOSTS;
  const config = renderPrometheus({
    externalLabels: { stack: platform.stack, exai_instance: platform.instance },
    jobs: dockerJobs(args.targets),
    alertmanagers: [args.targets?.alertmanager ?? `${hosts.alertmanager}:${MONITORING_PORTS.alertmanager}`],
    ruleFiles: [CONFIG_PATHS.rules],
  });
  return {
    component: hosts.prometheus,
    image: args.images.prometheus,
    user: NOBODY_UID,
    command: prometheusArguments(
      { days: args.retentionDays, gigabytes: args.retentionGigabytes ?? 2 },
      `http://127.0.0.1:${args.ports.prometheus}/`,
    ),
    files: [
      { path: CONFIG_PATHS.prometheus, content: config },
      { path: CONFIG_PATHS.rules, content: renderRules(localRules(args)) },
    ],
    volumes: [{ name: data, path: CONFIG_PATHS.prometheusData }],
    tmpfs: TMP,
    ports: [{ internal: MONITORING_PORTS.prometheus, external: args.ports.prometheus }],
    memoryMegabytes: 512,
    cpus: 1,
    pids: PIDS,
    healthCheck: ready(MONITORING_PORTS.prometheus, "/-/ready"),
    graceSeconds: 30,
  };
}

/** Alertmanager's container; pure. */
export function alertmanagerSpec(args: DockerMonitoringArgs, data: pulumi.Input<string>): ContainerSpec {
  const { receivers, files } = receiverFiles(args.alerts ?? {});
  return {
    component: MONITORING_HOSTS.alertmanager,
    image: args.images.alertmanager,
    user: NOBODY_UID,
    command: alertmanagerArguments(`http://127.0.0.1:${args.ports.alertmanager}/`),
    files: [{ path: CONFIG_PATHS.alertmanager, content: renderAlertmanager(receivers) }, ...secret(files)],
    volumes: [{ name: data, path: CONFIG_PATHS.alertmanagerData }],
    tmpfs: TMP,
    ports: [{ internal: MONITORING_PORTS.alertmanager, external: args.ports.alertmanager }],
    memoryMegabytes: 128,
    cpus: 0.5,
    pids: PIDS,
    healthCheck: ready(MONITORING_PORTS.alertmanager, "/-/ready"),
  };
}

/** The Postgres exporter's container; pure. It is alive without a database: that Postgres is down is what it reports. */
export function exporterSpec(args: DockerMonitoringArgs): ContainerSpec {
  return {
    component: MONITORING_HOSTS.postgresExporter,
    image: args.images.postgresExporter,
    user: NOBODY_UID,
    command: exporterArguments(),
    environment: exporterEnvironment(args.database),
    files: [
      { path: EXPORTER_PATHS.queries, content: args.database.queries },
      ...secret({ [EXPORTER_PATHS.password]: args.database.password }),
    ],
    tmpfs: TMP,
    memoryMegabytes: 96,
    cpus: 0.25,
    pids: PIDS,
    healthCheck: ready(MONITORING_PORTS.postgresExporter, "/"),
  };
}

/** Grafana's container; pure. */
export function grafanaSpec(
  args: DockerMonitoringArgs,
  image: pulumi.Input<string>,
  data: pulumi.Input<string>,
): ContainerSpec {
  const files = grafanaFiles({
    prometheusUrl: `http://${MONITORING_HOSTS.prometheus}:${MONITORING_PORTS.prometheus}`,
    walArchive: localRules(args).walArchive !== undefined,
  });
  return {
    component: MONITORING_HOSTS.grafana,
    image,
    user: GRAFANA_USER,
    environment: GRAFANA_ENVIRONMENT,
    files: [
      ...Object.entries(files).map(([path, content]) => ({ path, content })),
      ...(args.grafanaPassword === undefined ? [] : secret({ [GRAFANA_PASSWORD_FILE]: args.grafanaPassword })),
    ],
    volumes: [{ name: data, path: CONFIG_PATHS.grafanaData }],
    tmpfs: { "/tmp": "size=64m,mode=1777,nosuid,nodev" },
    ports: [{ internal: MONITORING_PORTS.grafana, external: args.ports.grafana }],
    memoryMegabytes: 384,
    cpus: 0.5,
    pids: PIDS,
    healthCheck: { ...ready(MONITORING_PORTS.grafana, "/api/health"), startPeriodSeconds: 90 },
  };
}

/** All images have busybox's wget, and so have the stand-ins; with `-T` Debian's crashes, so the check's own limit must do. */
function ready(port: number, path: string): ContainerSpec["healthCheck"] {
  return { test: ["CMD", "wget", "-q", "-O", "/dev/null", `http://127.0.0.1:${port}${path}`] };
}

function secret(files: Readonly<Record<string, pulumi.Input<string>>>): readonly MountedFile[] {
  return Object.entries(files).map(([path, content]) => ({ path, content, secret: true }));
}
