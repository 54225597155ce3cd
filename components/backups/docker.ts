import * as docker from "@pulumi/docker";
import type * as pulumi from "@pulumi/pulumi";
import { LABELS } from "../../contract/labels.ts";
import { ExaiComponent } from "../core/component.ts";
import type { ContainerSpec, DockerPlatform } from "../core/container-spec.ts";
import { hardenedContainer } from "../core/container.ts";
import type { Transform } from "../core/transform.ts";
import { POSTGRES_PATHS, POSTGRES_UID, type PostgresVolumes } from "../database/paths.ts";
import { BackupSchedule, DrillSchedule, type DrillTimes, type Schedule } from "./schedules.ts";

export interface DockerBackupsArgs {
  readonly platform: DockerPlatform;
  /** The image of the database: its backup tools must be of the same version. */
  readonly image: pulumi.Input<string>;
  readonly schedules: readonly Schedule[];
  readonly drill: DrillTimes;
  /** Volumes of the database. */
  readonly volumes: PostgresVolumes;
  /** Passphrase of the encrypted repository. */
  readonly passphrase: pulumi.Input<string>;
  /** Number of full backups whose WAL is kept completely, for point-in-time restore. @default 8 */
  readonly archiveFulls?: number;
  /** MiB; a drill runs a server. @default 512 */
  readonly memoryMegabytes?: number;
  /** Cores. @default 1 */
  readonly cpus?: number;
  /** Escape hatch. */
  readonly transform?: { readonly container?: Transform<docker.ContainerArgs> };
}

/** Name of the runner on the instance's network. */
export const BACKUP_RUNNER = "backup-runner";

/**
 * Backups of the local database: the declared schedules, and the container that processes the queue which pg_cron
 * fills. It creates the repository and a first full backup automatically.
 */
export class DockerBackups extends ExaiComponent {
  readonly container: docker.Container;

  constructor(name: string, args: DockerBackupsArgs, opts?: pulumi.ComponentResourceOptions) {
    super(
      "exai:backups:DockerBackups",
      name,
      {
        schedules: args.schedules.map((schedule) => schedule.name),
        // What a drill restores is removed at its end.
        withoutBackup: [`${name}-scratch`],
      },
      opts,
    );
    for (const schedule of args.schedules) new BackupSchedule(schedule, { parent: this });
    new DrillSchedule(args.drill, { parent: this });
    const { instance, stack } = args.platform;
    const scratch = new docker.Volume(
      `${name}-scratch`,
      {
        name: `${instance}-backups-scratch`,
        labels: [
          { label: LABELS.instance, value: instance },
          { label: LABELS.stack, value: stack },
          { label: LABELS.component, value: BACKUP_RUNNER },
        ],
      },
      { parent: this },
    );
    this.container = hardenedContainer(
      `${name}-runner`,
      runnerSpec({ ...args, scratch: scratch.name }),
      args.platform,
      { parent: this },
      args.transform?.container,
    );
    this.registerOutputs({});
  }
}

/** The runner's container; pure. Its only connection to the database is the socket's volume. */
export function runnerSpec(
  args: Omit<DockerBackupsArgs, "platform" | "transform"> & { readonly scratch: pulumi.Input<string> },
): ContainerSpec {
  const { name, cron, timeZone, deadlineMinutes } = args.drill;
  return {
    component: BACKUP_RUNNER,
    image: args.image,
    user: `${POSTGRES_UID}:${POSTGRES_UID}`,
    entrypoint: ["exai-postgres"],
    command: ["runner"],
    environment: {
      BACKUP_ARCHIVE_FULLS: String(args.archiveFulls ?? 8),
      BACKUP_PASSPHRASE_FILE: POSTGRES_PATHS.passphrase,
      BACKUP_SCHEDULES: schedulesVariable(args.schedules),
      DRILL_SCHEDULE: [name, cron, timeZone, deadlineMinutes].join("|"),
      SCRATCH: `${POSTGRES_PATHS.scratch}/pgdata`,
      SCRATCH_BUFFERS: "32MB",
    },
    files: [{ path: POSTGRES_PATHS.passphrase, content: args.passphrase, secret: true }],
    volumes: [
      { name: args.volumes.data, path: POSTGRES_PATHS.data, readOnly: true },
      { name: args.volumes.repository, path: POSTGRES_PATHS.repository },
      { name: args.volumes.socket, path: POSTGRES_PATHS.socket },
      { name: args.scratch, path: POSTGRES_PATHS.scratch },
    ],
    tmpfs: { "/tmp": "size=64m,mode=1777,nosuid,nodev,noexec" },
    memoryMegabytes: args.memoryMegabytes ?? 512,
    cpus: args.cpus ?? 1,
    // The Docker provider counts processes per user, and the database runs as the same one.
    pids: 400,
    healthCheck: { test: ["CMD", "exai-runner-healthy"], startPeriodSeconds: 10 },
    // A running backup is ended and recorded as failed.
    graceSeconds: 20,
  };
}

/** The schedules as the runner reads them from its environment; pure. */
export function schedulesVariable(schedules: readonly Schedule[]): string {
  return schedules
    .map(({ name, kind, frequency, cron, timeZone, retentionDays }) =>
      [name, kind, frequency, cron, timeZone, retentionDays].join("|"),
    )
    .join(";");
}
