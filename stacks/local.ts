import * as pulumi from "@pulumi/pulumi";
import { DockerBackups } from "../components/backups/docker.ts";
import { backupSchedules, drillTimes } from "../components/backups/schedules.ts";
import type { DockerPlatform } from "../components/core/container-spec.ts";
import { DockerImage } from "../components/core/image.ts";
import { DockerPgBouncer } from "../components/pool/docker.ts";
import { DockerPostgres, POSTGRES } from "../components/database/postgres.ts";
import { DockerMonitoring } from "../components/monitoring/docker.ts";
import { exporterQueries } from "../components/monitoring/exporter-queries.ts";
import { MONITORING_HOSTS } from "../components/monitoring/docker-jobs.ts";
import { DockerNetworks } from "../components/platform/networks.ts";
import { DockerRouting } from "../components/routing/docker.ts";
import { GeneratedSecrets } from "../components/secrets/generated.ts";
import { DockerObjectStore } from "../components/storage/docker.ts";
import { DockerServer } from "../components/server/docker.ts";
import { hostRoutesDirectory } from "../contract/envoy/names.ts";
import { BACKUPS_KEY, GENERATED, generatedName, ROTATED_KEY } from "../contract/engine/names.ts";
import { LOCAL_IMAGES } from "../contract/images.ts";
import { OBJECT_STORE } from "../contract/storage/object-store.ts";
import { alertTargets, watchedBackups } from "./monitoring.ts";
import { handOver, refuseCompose } from "./hand-over.ts";
import { accessKeysOf, serverEnvironment, slotSecrets } from "./server.ts";
import { homeOf, slotImages, type Records } from "./records.ts";
import type { Settings } from "./settings.ts";

/** The whole stack on the local Docker daemon. Ports are published on loopback. */
export function local(settings: Settings, records: Records): Record<string, unknown> {
  const { instance, stack } = settings;
  const home = homeOf(settings);
  refuseCompose(home);
  const without = settings.grafana ? [] : [MONITORING_HOSTS.grafana];
  const networks = new DockerNetworks("networks", { instance, stack, without });
  const platform: DockerPlatform = { instance, stack, networks: networks.of };
  const keys = ["jwt", "postgres", "postgres-monitor", "postgres-server", BACKUPS_KEY, "grafana", "storage"];
  const opensNoData = ["access"]; // It only leads testers to a slot.
  const names = [...opensNoData, ...keys];
  const generated = new GeneratedSecrets(GENERATED, {
    names,
    opensNoData,
    kept: records.secrets,
    protect: settings.protectData ? keys : [],
  });
  handOver(home, instance, Object.fromEntries(names.map((name) => [generatedName(name), generated.get(name)])));

  const postgresImage = new DockerImage("postgres", LOCAL_IMAGES.postgres, {}).id;
  const postgres = new DockerPostgres("postgres", {
    platform,
    image: postgresImage,
    password: generated.get("postgres"),
    monitorPassword: generated.get("postgres-monitor"),
    serverPassword: generated.get("postgres-server"),
    backupPassphrase: generated.get(BACKUPS_KEY),
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
      drill: drillTimes(settings.backupTimeZone),
      volumes: postgres.volumes,
      passphrase: generated.get(BACKUPS_KEY),
    },
    { dependsOn: [postgres.container] },
  );

  const pool = new DockerPgBouncer("pgbouncer", {
    platform,
    image: new DockerImage("pgbouncer", LOCAL_IMAGES.pgbouncer, {}).id,
    database: { host: POSTGRES, port: 5432 },
    serverPassword: generated.get("postgres-server"),
    poolSize: settings.databasePoolSize,
  });
  const store = new DockerObjectStore("object-store", {
    platform,
    image: new DockerImage("object-store", LOCAL_IMAGES.objectStore, {}).id,
    secret: generated.get("storage"),
    protect: settings.protectData,
  });

  const images = slotImages(settings, records);
  const server = new DockerServer("server", {
    platform,
    images: {
      blue: images.blue ?? LOCAL_IMAGES.referenceServer,
      green: images.green ?? LOCAL_IMAGES.referenceServer,
    },
    environment: serverEnvironment(settings, OBJECT_STORE.url),
    secrets: slotSecrets(settings, rotatedKey(records) ?? generated.get("jwt"), {
      databaseUrl: pool.serverUrl,
      supabaseAnonKey: store.keys.anon,
      supabaseServiceRoleKey: store.keys.serviceRole,
    }),
    memoryMegabytes: settings.serverMemory,
    cpus: settings.serverCpus,
    healthCommand: settings.healthCommand.split(" "),
  });
  const router = new DockerRouting("router", {
    platform,
    image: new DockerImage("router", LOCAL_IMAGES.envoy, {}).id,
    webSocketPort: settings.wsPort,
    accessKeys: accessKeysOf(settings, generated.get("access")),
    routesDirectory: hostRoutesDirectory(home),
    ports: { http: settings.httpPort, webSocket: settings.wsPort, observe: settings.observePort },
    egress: [...[settings.kimiUrl, settings.glmUrl].map(hostAndPort), ...(settings.egressHosts ?? [])],
  });

  const image = (role: string, reference: string) => new DockerImage(role, reference, {}).id;
  const monitoring = new DockerMonitoring("monitoring", {
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
      queries: exporterQueries(),
    },
    grafanaPassword: generated.get("grafana"),
    backups: watchedBackups(schedules, "queue"),
    alerts: alertTargets(settings),
  });

  return {
    urls: { server: router.url, webSocket: router.webSocketUrl, observe: router.observeUrl, ...monitoring.urls },
    slots: images,
    containers: { blue: server.containers.blue.name, green: server.containers.green.name },
    // The engine declares the database; the CLI migrates its schema.
    next: "exai migrate apply",
  };
}

/** The key for tokens that a rotation has put in the place of the generated one. */
function rotatedKey({ secrets }: Records): pulumi.Output<string> | undefined {
  const key = secrets[ROTATED_KEY];
  return key === undefined ? undefined : pulumi.secret(key);
}

/** Where a provider's URL leads to, with its port. */
function hostAndPort(url: string): string {
  const { hostname, port, protocol } = new URL(url);
  return `${hostname}:${port === "" ? (protocol === "https:" ? "443" : "80") : port}`;
}
