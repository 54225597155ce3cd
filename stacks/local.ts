import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import * as docker from "@pulumi/docker";
import { DockerBackups } from "../components/backups/docker.ts";
import { backupSchedules } from "../components/backups/schedules.ts";
import type { DockerPlatform } from "../components/core/container-spec.ts";
import { DockerImage } from "../components/core/image.ts";
import { DockerPostgres } from "../components/database/postgres.ts";
import { backupQueries } from "../components/backups/queries.ts";
import { DockerMonitoring } from "../components/monitoring/docker.ts";
import { DockerRouting } from "../components/routing/docker.ts";
import { GeneratedSecrets } from "../components/secrets/generated.ts";
import { DockerServer } from "../components/server/docker.ts";
import { hostRoutesDirectory } from "../contract/envoy/names.ts";
import { LABELS } from "../contract/labels.ts";
import { LOCAL_IMAGES } from "../contract/images.ts";
import { alertTargets, watchedBackups } from "./monitoring.ts";
import { handOver, refuseCompose } from "./hand-over.ts";
import { serverEnvironment, slotSecrets } from "./server.ts";
import type { Settings } from "./settings.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** The whole stack on the local Docker daemon. Ports are published on loopback. */
export function local(settings: Settings): Record<string, unknown> {
  const { instance, stack } = settings;
  const home = resolve(ROOT, settings.homeDirectory ?? ".exai/local");
  refuseCompose(home);
  const network = new docker.Network("network", {
    name: instance,
    driver: "bridge",
    labels: [
      { label: LABELS.instance, value: instance },
      { label: LABELS.stack, value: stack },
    ],
  });
  const platform: DockerPlatform = { instance, stack, network: network.name };
  const names = ["jwt", "postgres", "postgres-monitor", "backups", "grafana"];
  const generated = new GeneratedSecrets("generated", { names });
  handOver(home, instance, Object.fromEntries(names.map((name) => [`generated-${name}`, generated.get(name)])));

  const postgresImage = new DockerImage("postgres", LOCAL_IMAGES.postgres, {}).id;
  const postgres = new DockerPostgres("postgres", {
    platform,
    image: postgresImage,
    password: generated.get("postgres"),
    monitorPassword: generated.get("postgres-monitor"),
    backupPassphrase: generated.get("backups"),
    port: settings.postgresPort,
    protect: settings.protectData,
  });
  const schedules = backupSchedules({
    timeZone: settings.backupTimeZone,
    dailyRetentionDays: settings.dailyRetentionDays,
    hourlyRetentionDays: settings.hourlyRetentionDays,
    weeklyRetentionDays: settings.weeklyRetentionDays,
  });
  new DockerBackups(
    "backups",
    {
      platform,
      image: postgresImage,
      schedules,
      volumes: postgres.volumes,
      passphrase: generated.get("backups"),
    },
    { dependsOn: [postgres.container] },
  );

  const server = new DockerServer("server", {
    platform,
    images: {
      blue: settings.slots.blue ?? LOCAL_IMAGES.referenceServer,
      green: settings.slots.green ?? LOCAL_IMAGES.referenceServer,
    },
    environment: serverEnvironment(settings),
    secrets: slotSecrets(settings, generated.get("jwt")),
    memoryMegabytes: settings.serverMemory,
    cpus: settings.serverCpus,
    healthCommand: settings.healthCommand.split(" "),
  });
  const router = new DockerRouting("router", {
    platform,
    image: new DockerImage("router", LOCAL_IMAGES.envoy, {}).id,
    webSocketPort: settings.wsPort,
    routesDirectory: hostRoutesDirectory(home),
    ports: { http: settings.httpPort, webSocket: settings.wsPort, observe: settings.observePort },
  });

  const image = (role: string, reference: string) => new DockerImage(role, reference, {}).id;
  const monitoring = new DockerMonitoring(
    "monitoring",
    {
      platform,
      images: {
        prometheus: image("prometheus", LOCAL_IMAGES.prometheus),
        alertmanager: image("alertmanager", LOCAL_IMAGES.alertmanager),
        postgresExporter: image("postgres-exporter", LOCAL_IMAGES.postgresExporter),
        ...(settings.grafana ? { grafana: image("grafana", LOCAL_IMAGES.grafana) } : {}),
      },
      ports: {
        prometheus: settings.prometheusPort,
        alertmanager: settings.alertmanagerPort,
        grafana: settings.grafanaPort,
      },
      retentionDays: settings.metricsRetentionDays,
      database: {
        uri: "postgres:5432/postgres?sslmode=disable",
        user: "exai_monitor",
        password: generated.get("postgres-monitor"),
        queries: backupQueries(),
      },
      grafanaPassword: generated.get("grafana"),
      backups: watchedBackups(schedules),
      alerts: alertTargets(settings),
    },
    { dependsOn: [postgres.container] },
  );

  return {
    urls: { server: router.url, webSocket: router.webSocketUrl, observe: router.observeUrl, ...monitoring.urls },
    slots: { blue: settings.slots.blue, green: settings.slots.green },
    containers: { blue: server.containers.blue.name, green: server.containers.green.name },
    // The engine declares the database; the CLI migrates its schema.
    next: "exai migrate apply",
  };
}
