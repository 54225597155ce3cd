import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import { readFileSync } from "node:fs";
import { LABELS } from "../../contract/labels.ts";
import { ExaiComponent } from "../core/component.ts";
import type { ContainerSpec, DockerPlatform } from "../core/container-spec.ts";
import { hardenedContainer } from "../core/container.ts";
import { transformed, type Transform } from "../core/transform.ts";
import { POSTGRES_PATHS, POSTGRES_UID, type PostgresVolumes } from "./paths.ts";

export interface DockerPostgresArgs {
  readonly platform: DockerPlatform;
  /** Built from images/postgres. */
  readonly image: pulumi.Input<string>;
  /** Password of the owner `postgres`; set when the database is created. */
  readonly password: pulumi.Input<string>;
  /** Password of `exai_monitor`, the role of Prometheus' exporter; set when the database is created. */
  readonly monitorPassword: pulumi.Input<string>;
  /** Password of `exai_server`, the login of the pool for the slots; set when the database is created. */
  readonly serverPassword: pulumi.Input<string>;
  /** Passphrase of the encrypted repository that stores the WAL and the backups. */
  readonly backupPassphrase: pulumi.Input<string>;
  /** Port on loopback. */
  readonly port: number;
  /** MiB. @default 512 */
  readonly memoryMegabytes?: number;
  /** Cores. @default 1 */
  readonly cpus?: number;
  /** Refuse to delete the volumes that hold data. @default false */
  readonly protect?: boolean;
  /** Escape hatches. */
  readonly transform?: {
    readonly container?: Transform<docker.ContainerArgs>;
    readonly volume?: Transform<docker.VolumeArgs>;
  };
}

/** Name of the database on the instance's network. */
export const POSTGRES = "postgres";

/**
 * The local database: PostgreSQL with pg_cron and pgTAP, prepared like a Supabase project before its first migration,
 * with continuous WAL archiving into an encrypted repository. Migrations are applied by `exai migrate apply`.
 */
export class DockerPostgres extends ExaiComponent {
  readonly container: docker.Container;
  readonly volumes: PostgresVolumes;
  /** How the exporter connects, inside the instance's network. */
  readonly monitorUrl: pulumi.Output<string>;

  constructor(name: string, args: DockerPostgresArgs, opts?: pulumi.ComponentResourceOptions) {
    super(
      "exai:database:DockerPostgres",
      name,
      // The volume of the socket holds no data: the server creates the socket at each start.
      { port: args.port, walArchiving: true, withoutBackup: [`${name}-socket`] },
      opts,
    );
    const volume = (role: string, holdsData: boolean): docker.Volume =>
      new docker.Volume(
        ...transformed(
          args.transform?.volume,
          `${name}-${role}`,
          {
            name: `${args.platform.instance}-postgres-${role}`,
            labels: [
              { label: LABELS.instance, value: args.platform.instance },
              { label: LABELS.stack, value: args.platform.stack },
              { label: LABELS.component, value: POSTGRES },
            ],
          },
          { parent: this, protect: holdsData && (args.protect ?? false) },
        ),
      );
    this.volumes = {
      data: volume("data", true).name,
      repository: volume("backups", true).name,
      socket: volume("socket", false).name,
    };
    this.container = hardenedContainer(
      `${name}-server`,
      postgresSpec(args, this.volumes, prelude()),
      args.platform,
      { parent: this },
      args.transform?.container,
    );
    this.monitorUrl = pulumi.secret(
      pulumi.interpolate`postgres://exai_monitor:${args.monitorPassword}@${POSTGRES}:5432/postgres?sslmode=disable`,
    );
    this.registerOutputs({});
  }
}

/** The replacement for Supabase's own set-up, from supabase/prelude.sql. */
function prelude(): string {
  return readFileSync(new URL("../../supabase/prelude.sql", import.meta.url), "utf8");
}

/** The database's container; pure. */
export function postgresSpec(
  args: Omit<DockerPostgresArgs, "platform" | "transform" | "protect">,
  volumes: PostgresVolumes,
  preludeSql: string,
): ContainerSpec {
  return {
    component: POSTGRES,
    image: args.image,
    user: `${POSTGRES_UID}:${POSTGRES_UID}`,
    entrypoint: ["exai-postgres"],
    command: ["server"],
    environment: {
      POSTGRES_INIT_SQL: POSTGRES_PATHS.prelude,
      POSTGRES_PASSWORD_FILE: POSTGRES_PATHS.password,
      POSTGRES_MONITOR_PASSWORD_FILE: POSTGRES_PATHS.monitorPassword,
      POSTGRES_SERVER_PASSWORD_FILE: POSTGRES_PATHS.serverPassword,
      BACKUP_PASSPHRASE_FILE: POSTGRES_PATHS.passphrase,
    },
    files: [
      { path: POSTGRES_PATHS.prelude, content: preludeSql },
      { path: POSTGRES_PATHS.password, content: args.password, secret: true },
      { path: POSTGRES_PATHS.monitorPassword, content: args.monitorPassword, secret: true },
      { path: POSTGRES_PATHS.serverPassword, content: args.serverPassword, secret: true },
      { path: POSTGRES_PATHS.passphrase, content: args.backupPassphrase, secret: true },
    ],
    volumes: [
      { name: volumes.data, path: POSTGRES_PATHS.data },
      { name: volumes.repository, path: POSTGRES_PATHS.repository },
      { name: volumes.socket, path: POSTGRES_PATHS.socket },
    ],
    tmpfs: { "/tmp": "size=64m,mode=1777,nosuid,nodev,noexec" },
    ports: [{ internal: 5432, external: args.port }],
    memoryMegabytes: args.memoryMegabytes ?? 512,
    cpus: args.cpus ?? 1,
    pids: 400,
    // During the first start the server listens only on a private socket, so this fails until the set-up is complete.
    healthCheck: {
      test: ["CMD", "pg_isready", "--quiet", `--host=${POSTGRES_PATHS.socket}`],
      intervalSeconds: 5,
      startPeriodSeconds: 60,
    },
    graceSeconds: 30,
  };
}
