import * as docker from "@pulumi/docker";
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import * as supabase from "@pulumi/supabase";
import { KubernetesBackups } from "../components/backups/kubernetes.ts";
import { backupSchedules, drillTimes } from "../components/backups/schedules.ts";
import { connectionUri, connectionUrl, type DatabaseAddress } from "../components/database/connection.ts";
import { SupabaseDatabase, type DatabaseConnection, type SupabaseTarget } from "../components/database/supabase.ts";
import { exporterQueries } from "../components/monitoring/exporter-queries.ts";
import { KubernetesMonitoring, type KubernetesMonitoringArgs } from "../components/monitoring/kubernetes.ts";
import { KubernetesNamespace } from "../components/platform/namespace.ts";
import { KubernetesRouting } from "../components/routing/kubernetes.ts";
import { DatabaseLogin } from "../components/secrets/database-login.ts";
import { GeneratedSecrets } from "../components/secrets/generated.ts";
import { KubernetesServer } from "../components/server/kubernetes.ts";
import { BACKUPS_KEY, GENERATED } from "../contract/engine/names.ts";
import { KUBERNETES_IMAGES } from "../contract/kubernetes-images.ts";
import type { Slot } from "../contract/slots.ts";
import { UserError } from "../contract/errors.ts";
import { ROUTING_NAMES } from "../contract/gateway.ts";
import { alertTargets, watchedBackups } from "./monitoring.ts";
import { accessKeysOf, accessPrivateKeyOf, serverEnvironment, slotSecrets } from "./server.ts";
import { slotImages, type Records } from "./records.ts";
import type { Settings } from "./settings.ts";

/** The differences between staging and prod; everything else is settings. */
export interface KubernetesChoices {
  /** Where the database lives. `password` makes one for a new project. */
  readonly database: (password: () => pulumi.Output<string>) => SupabaseTarget;
}

type OwnerLogin = DatabaseConnection & { readonly password: pulumi.Output<string> };

/** The stack on Kubernetes and Supabase: what staging and prod have in common. */
export function cluster(settings: Settings, records: Records, choices: KubernetesChoices): Record<string, unknown> {
  const providers = kubernetesProviders(settings);
  const opts = { providers };
  const { instance, stack, protectData: protect } = settings;
  const keys = ["jwt", "database", BACKUPS_KEY, "grafana"];
  // A remote repository is not part of the stack, so its backups outlive even a stack whose data is not protected.
  const outlive = settings.backupRepository === undefined ? [] : [BACKUPS_KEY];
  const generated = new GeneratedSecrets(
    GENERATED,
    {
      names: ["access", "server-database", ...keys],
      // The first leads testers to a slot; each deployment sets the second.
      opensNoData: ["access", "server-database"],
      protect: protect ? keys : outlive,
    },
    opts,
  );
  const jwtSecret = settings.jwtSecret ?? generated.get("jwt");

  const database = new SupabaseDatabase(
    "database",
    {
      target: choices.database(() => generated.get("database")),
      settings: {
        api: { schemas: ["public", "graphql_public"], maxRows: 1000 },
        auth: {
          siteUrl: settings.productionUrl ?? "",
          redirectUrls: [],
          unconfirmedMail: false,
          anonymousUsers: false,
          tokenSeconds: 3600,
          rotateRefreshTokens: true,
          passwordLength: 12,
        },
        // A workflow tool may wait this long for its answer; no statement may hold locks for longer.
        database: { statementTimeout: `${settings.workflowToolTimeout}s` },
        network: { allowedCidrs: settings.supabaseAllowedCidrs },
        storage: { fileSizeLimit: 52_428_800, imageTransformation: false },
      },
      functions: [{ slug: "verify-jwt", entrypoint: "supabase/functions/verify-jwt/index.ts" }],
      functionSecrets: {
        EXAI_JWT_TOKEN: jwtSecret,
        // The function serves both slots, so it accepts both keys of a rotation from its beginning to its end.
        EXAI_JWT_TOKEN_PREVIOUS: settings.jwtSecretNext ?? settings.jwtSecretPrevious,
        EXAI_ALLOWED_ORIGINS: settings.productionUrl,
      },
      protect,
      pointInTimeRecovery: settings.supabasePitr,
      poolSize: settings.supabasePoolSize,
    },
    opts,
  );

  const login = databaseLogin(database.connection, stack);
  const address = login.host.apply((host): DatabaseAddress => {
    return { host, port: login.port, name: login.name, verified: settings.databaseCa !== undefined };
  });
  const ownerUrl = pulumi
    .all([address, login.user, login.password])
    .apply(([at, user, password]) => connectionUrl(at, user, password));
  const serverPassword = generated.get("server-database");
  const serverUrl = pulumi
    .all([address, login.serverUser, serverPassword])
    .apply(([at, user, password]) => connectionUrl({ ...at, port: login.transactionPort }, user, password));

  const platform = new KubernetesNamespace("platform", { instance, stack }, opts);
  new DatabaseLogin(
    "database-login",
    {
      platform,
      image: settings.backupImage ?? "",
      ownerUrl,
      databaseCa: settings.databaseCa,
      password: serverPassword,
    },
    opts,
  );
  const images = deployedImages(settings, records);
  const server = new KubernetesServer(
    "server",
    {
      platform,
      images,
      replicas: settings.replicas,
      environment: serverEnvironment(settings, database.url),
      secrets: slotSecrets(settings, generated.get("jwt"), {
        supabaseAnonKey: database.anonKey,
        supabaseServiceRoleKey: database.serviceRoleKey,
        databaseUrl: serverUrl,
        databaseCa: settings.databaseCa,
      }),
      memoryMegabytes: settings.serverMemory,
      cpus: settings.serverCpus,
      gatewayNamespace: settings.gatewayNamespace,
    },
    opts,
  );
  new KubernetesRouting(
    "routing",
    {
      platform,
      access: {
        keys: accessKeysOf(settings, generated.get("access")),
        privateKey: accessPrivateKeyOf(settings, generated.get("access")),
      },
      services: server.services,
      hostname: settings.hostname ?? "",
      wsPort: settings.wsPort,
      tlsSecret: settings.tlsSecret,
      gatewayClass: settings.gatewayClass,
      replicas: settings.gatewayReplicas,
      serviceType: settings.gatewayService,
      proxyImage: settings.gatewayImage,
      sessionTags: settings.mcpSessionTags,
    },
    opts,
  );

  const schedules = backupSchedules({
    timeZone: settings.backupTimeZone,
    dailyRetentionDays: settings.dailyRetentionDays,
    hourlyRetentionDays: settings.hourlyRetentionDays,
    weeklyRetentionDays: settings.weeklyRetentionDays,
  });
  new KubernetesBackups(
    "backups",
    {
      platform,
      image: settings.backupImage ?? "",
      schedules,
      drill: drillTimes(settings.backupTimeZone),
      databaseUrl: ownerUrl,
      databaseCa: settings.databaseCa,
      repositoryPassword: generated.get(BACKUPS_KEY),
      repository:
        settings.backupRepository === undefined
          ? { kind: "volume", size: "50Gi", storageClass: settings.storageClass }
          : { kind: "remote", url: settings.backupRepository, credentials: settings.backupCredentials },
      protect,
    },
    opts,
  );

  const monitoring = new KubernetesMonitoring(
    "monitoring",
    {
      platform,
      images: monitoringImages(settings),
      retentionDays: settings.metricsRetentionDays,
      storage: {
        kind: settings.metricsStorage,
        gigabytes: settings.metricsGigabytes,
        storageClass: settings.storageClass,
      },
      database: {
        uri: address.apply(connectionUri),
        ca: settings.databaseCa,
        user: login.user,
        password: login.password,
        queries: exporterQueries(),
      },
      grafanaPassword: generated.get("grafana"),
      backups: watchedBackups(schedules, "kubernetes"),
      webSocketPort: settings.wsPort,
      gateway: { name: ROUTING_NAMES.gateway, namespace: settings.gatewayNamespace },
      alerts: alertTargets(settings),
      runbooks: settings.runbooksUrl,
      ...(settings.kubeApiCidrs === undefined ? {} : { apiServerCidrs: settings.kubeApiCidrs }),
    },
    opts,
  );

  return {
    namespace: platform.namespace,
    url: `https://${settings.hostname ?? ""}`,
    // `image` is the setting, `slots` are the deployed images: a rollout changes only the latter.
    image: settings.image ?? "",
    slots: images,
    supabaseProject: database.ref,
    supabaseUrl: database.url,
    prometheus: monitoring.prometheusUrl,
  };
}

/** Providers of exactly the named cluster and account: `up` never uses the current context. */
function kubernetesProviders(settings: Settings): { kubernetes: k8s.Provider; supabase: supabase.Provider } {
  const context = settings.kubeContext ?? "";
  return {
    kubernetes: new k8s.Provider("cluster", {
      context,
      // The identity of the cluster: other credentials or another path of the same context replace nothing.
      clusterIdentifier: context,
      ...(settings.kubeconfig === undefined ? {} : { kubeconfig: settings.kubeconfig }),
      enableServerSideApply: true,
      // Otherwise a changed Secret is replaced, and with it each Deployment that mounts it: deleted, with its users, and made
      // again. The pods change by the digests in their templates.
      enableSecretMutable: true,
      enableConfigMapMutable: true,
    }),
    supabase: new supabase.Provider("supabase", {
      ...(settings.supabaseAccessToken === undefined ? {} : { accessToken: settings.supabaseAccessToken }),
      ...(settings.supabaseEndpoint === undefined ? {} : { endpoint: settings.supabaseEndpoint }),
    }),
  };
}

/** The connection with its password. @throws UserError if that of an existing project was not given */
function databaseLogin(connection: DatabaseConnection, stack: string): OwnerLogin {
  const { password } = connection;
  if (password === undefined)
    throw new UserError(
      "invalid-setting",
      "exai:supabaseDatabasePassword",
      "is not set, and the backups of an existing project need it",
      `pulumi config set --secret --stack ${stack} exai:supabaseDatabasePassword "<password>"`,
    );
  return { ...connection, password };
}

function monitoringImages(settings: Settings): KubernetesMonitoringArgs["images"] {
  const { prometheusImage, alertmanagerImage, postgresExporterImage, grafanaImage } = settings;
  return {
    prometheus: prometheusImage ?? KUBERNETES_IMAGES.prometheus,
    alertmanager: alertmanagerImage ?? KUBERNETES_IMAGES.alertmanager,
    postgresExporter: postgresExporterImage ?? KUBERNETES_IMAGES.postgresExporter,
    ...(settings.grafana ? { grafana: grafanaImage ?? KUBERNETES_IMAGES.grafana } : {}),
  };
}

/** Image of each slot: as settings or records name it, else built from the given folder and pushed. */
function deployedImages(settings: Settings, records: Records): Readonly<Record<Slot, pulumi.Input<string>>> {
  const { blue, green } = slotImages(settings, records);
  let built: pulumi.Output<string> | undefined;
  const build = (): pulumi.Output<string> => (built ??= builtImage(settings));
  return { blue: blue ?? build(), green: green ?? build() };
}

/** @throws UserError if the settings do not say from what and where to */
function builtImage(settings: Settings): pulumi.Output<string> {
  const { buildContext, buildRepository, stack } = settings;
  if (buildContext === undefined || buildRepository === undefined) {
    const key = buildContext === undefined ? "buildContext" : "buildRepository";
    throw new UserError(
      "invalid-setting",
      `exai:${key}`,
      "is not set, and a slot has no image",
      `pulumi config set --stack ${stack} exai:image "<registry>/<name>@sha256:<64 hex digits>"`,
    );
  }
  const image = new docker.Image("server-image", {
    imageName: `${buildRepository}:${stack}`,
    build: { context: buildContext, platform: "linux/amd64" },
    // If the repository does not return the digest of a push, the deployment must not fall back to a tag.
    skipPush: false,
  });
  return image.repoDigest;
}
