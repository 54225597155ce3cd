import { basename } from "node:path/posix";
import * as k8s from "@pulumi/kubernetes";
import type * as pulumi from "@pulumi/pulumi";
import { RESTORE_DRILL } from "../../contract/backups.ts";
import { ExaiComponent } from "../core/component.ts";
import {
  internet,
  metadata,
  opening,
  partLabels,
  tcp,
  tokenlessAccount,
  type KubernetesPlatform,
} from "../core/kubernetes.ts";
import { podTemplate, type PodSpec, type Resources } from "../core/pod.ts";
import { transformed, type Transform } from "../core/transform.ts";
import { SECRETS_DIRECTORY } from "../../contract/server.ts";
import { DATABASE_CA_PATH, DATABASE_PORTS, POSTGRES_UID } from "../database/paths.ts";
import { MountedSecret } from "../secrets/kubernetes.ts";
import { BackupSchedule, DrillSchedule, type DrillTimes, type Schedule } from "./schedules.ts";

/** Where the dumps are kept. */
export type DumpRepository =
  /** A volume of the cluster, in Kubernetes' units, e.g. `50Gi`; its storage class is the cluster's default if absent. */
  | { readonly kind: "volume"; readonly size: string; readonly storageClass?: string | undefined }
  /** A repository in restic's form: `s3:https://…`, `rest:https://…`. `credentials` is the text of an AWS credentials file. */
  | { readonly kind: "remote"; readonly url: string; readonly credentials?: pulumi.Input<string> | undefined };

export interface KubernetesBackupsArgs {
  readonly platform: KubernetesPlatform;
  /** Built from images/postgres with tools at least as new as the database. */
  readonly image: pulumi.Input<string>;
  readonly schedules: readonly Schedule[];
  readonly drill: DrillTimes;
  /** postgres:// URL of a role that may read everything and bypasses row-level security. */
  readonly databaseUrl: pulumi.Input<string>;
  /** CA certificates (PEM) that verify the database server; the URL names them as {@link DATABASE_CA_PATH}. */
  readonly databaseCa?: string | undefined;
  /** Password of the encrypted repository. Without it, the backups cannot be read. */
  readonly repositoryPassword: pulumi.Input<string>;
  readonly repository: DumpRepository;
  /** Disk for one uncompressed dump, in Kubernetes' units. @default "10Gi" */
  readonly scratch?: string;
  /** Refuse to delete the volume of the repository. @default true */
  readonly protect?: boolean;
  /** Escape hatches. */
  readonly transform?: {
    readonly cronJob?: Transform<k8s.batch.v1.CronJobArgs>;
    readonly volume?: Transform<k8s.core.v1.PersistentVolumeClaimArgs>;
  };
}

const PART = { component: "backup" } as const;
const REPOSITORY = "/repository";
const SCRATCH = "/scratch";

/**
 * Backups of a hosted database: each schedule is a CronJob that writes an encrypted, deduplicated dump to a repository
 * outside the database's failure domain, verifies it, and deletes dumps that are older than the retention.
 */
export class KubernetesBackups extends ExaiComponent {
  readonly cronJobs: readonly k8s.batch.v1.CronJob[];

  constructor(name: string, args: KubernetesBackupsArgs, opts?: pulumi.ComponentResourceOptions) {
    const { platform, repository } = args;
    super("exai:backups:KubernetesBackups", name, { schedules: args.schedules.map((schedule) => schedule.name) }, opts);
    for (const schedule of args.schedules) new BackupSchedule(schedule, { parent: this });
    new DrillSchedule(args.drill, { parent: this });

    const credentials = repository.kind === "remote" ? repository.credentials : undefined;
    const secret = new MountedSecret(
      `${name}-secrets`,
      {
        platform,
        part: PART,
        name: "backup",
        files: {
          "database-url": args.databaseUrl,
          "repository-password": args.repositoryPassword,
          ...(args.databaseCa === undefined ? {} : { [basename(DATABASE_CA_PATH)]: args.databaseCa }),
          ...(credentials === undefined ? {} : { "aws-credentials": credentials }),
        },
      },
      { parent: this },
    );
    const account = tokenlessAccount(`${name}-account`, "backup", platform, PART, { parent: this });
    opening(`${name}-egress`, "backup", platform, PART, { egress: dumpEgress(repository) }, { parent: this });
    const claim =
      repository.kind === "volume"
        ? new k8s.core.v1.PersistentVolumeClaim(
            ...transformed(args.transform?.volume, `${name}-repository`, claimArgs(platform, repository), {
              parent: this,
              protect: args.protect ?? true,
            }),
          )
        : undefined;

    const references: References = {
      account: account.metadata.name,
      secret: secret.secretName,
      hasCredentials: credentials !== undefined,
      ...(claim === undefined ? {} : { claim: claim.metadata.name }),
    };
    const cronJob = (part: string, job: k8s.batch.v1.CronJobArgs): k8s.batch.v1.CronJob =>
      new k8s.batch.v1.CronJob(...transformed(args.transform?.cronJob, `${name}-${part}`, job, { parent: this }));
    this.cronJobs = [
      ...args.schedules.map((schedule) => cronJob(schedule.name, cronJobArgs(schedule, args, references))),
      cronJob("drill", drillJobArgs(args, references)),
    ];
    this.registerOutputs({});
  }
}

function claimArgs(
  platform: KubernetesPlatform,
  repository: Extract<DumpRepository, { kind: "volume" }>,
): k8s.core.v1.PersistentVolumeClaimArgs {
  const meta = metadata(platform, PART, "backup-repository");
  return {
    metadata: {
      ...meta,
      // Most storage classes create the volume with its first pod, which starts hours after the deployment.
      annotations: { "pulumi.com/skipAwait": "true" },
    },
    spec: {
      accessModes: ["ReadWriteOnce"],
      resources: { requests: { storage: repository.size } },
      ...(repository.storageClass === undefined ? {} : { storageClassName: repository.storageClass }),
    },
  };
}

function dumpEgress(repository: DumpRepository): k8s.types.input.networking.v1.NetworkPolicyEgressRule[] {
  const ports = repository.kind === "remote" ? [...DATABASE_PORTS, 443] : [...DATABASE_PORTS];
  return [{ to: internet(), ports: tcp(...ports) }];
}

/** Names of the objects that a CronJob refers to. */
interface References {
  readonly account: pulumi.Input<string>;
  readonly secret: pulumi.Input<string>;
  /** Claim of the repository's volume; absent if the repository is remote. */
  readonly claim?: pulumi.Input<string>;
  /** Whether the secret has the file of a remote repository's credentials. */
  readonly hasCredentials: boolean;
}

/** What is the same for all pods of the backups. */
type PodArgs = Pick<KubernetesBackupsArgs, "image" | "repository" | "scratch">;

/** The CronJob of one schedule; pure. */
export function cronJobArgs(
  schedule: Schedule,
  args: PodArgs & Pick<KubernetesBackupsArgs, "platform">,
  references: References,
): k8s.batch.v1.CronJobArgs {
  return cronJobOf(`backup-${schedule.name}`, schedule, args.platform, dumpPod(schedule, args, references), {
    backoffLimit: 2,
    activeDeadlineSeconds: schedule.frequency === "hourly" ? 3300 : 6 * 3600,
  });
}

/** The CronJob of the restore drills; pure. */
export function drillJobArgs(
  args: PodArgs & Pick<KubernetesBackupsArgs, "platform" | "drill">,
  references: References,
): k8s.batch.v1.CronJobArgs {
  return cronJobOf(RESTORE_DRILL, args.drill, args.platform, drillPod(args, references), {
    // A drill that fails is a result.
    backoffLimit: 0,
    activeDeadlineSeconds: args.drill.deadlineMinutes * 60,
  });
}

function cronJobOf(
  name: string,
  { cron, timeZone }: Pick<Schedule, "cron" | "timeZone">,
  platform: KubernetesPlatform,
  pod: PodSpec,
  limits: { readonly backoffLimit: number; readonly activeDeadlineSeconds: number },
): k8s.batch.v1.CronJobArgs {
  return {
    metadata: metadata(platform, PART, name),
    spec: {
      schedule: cron,
      timeZone,
      // A dump that takes longer than its period must not overlap the next one.
      concurrencyPolicy: "Forbid",
      // A controller that was unavailable for less than this starts the missed run.
      startingDeadlineSeconds: 1800,
      successfulJobsHistoryLimit: 3,
      failedJobsHistoryLimit: 3,
      jobTemplate: {
        metadata: { labels: partLabels(platform, PART) },
        spec: {
          ...limits,
          // Manually created jobs are deleted too.
          ttlSecondsAfterFinished: 7 * 86_400,
          template: podTemplate(pod, platform),
        },
      },
    },
  };
}

/** The pod of one run; pure. */
export function dumpPod(schedule: Schedule, args: PodArgs, references: References): PodSpec {
  const scratch = args.scratch ?? DUMP_SIZE;
  return {
    ...podOf(references),
    containers: [
      {
        name: "dump",
        image: args.image,
        command: ["exai-postgres"],
        args: ["dump"],
        environment: {
          BACKUP_NAME: schedule.name,
          BACKUP_KIND: schedule.kind,
          BACKUP_FREQUENCY: schedule.frequency,
          BACKUP_CRON: schedule.cron,
          BACKUP_TIME_ZONE: schedule.timeZone,
          BACKUP_RETENTION_DAYS: String(schedule.retentionDays),
          BACKUP_SCRATCH: SCRATCH,
          HOME: "/tmp",
          ...DATABASE,
          ...repositoryVariables(args.repository, references),
        },
        mounts: [SECRETS_MOUNT, ...repositoryMounts(references)],
        resources: resourcesOf(scratch),
      },
    ],
    scratch: { "/tmp": "1Gi", [SCRATCH]: scratch },
  };
}

/**
 * The pod of a drill; pure. The first container gets the newest dump, and alone has the repository. The second one loads the dump into a
 * scratch server and proves it.
 */
export function drillPod(args: PodArgs & Pick<KubernetesBackupsArgs, "drill">, references: References): PodSpec {
  const { image, drill } = args;
  // Room for the dump and for the database that is loaded from it.
  const scratch = times(3, args.scratch ?? DUMP_SIZE);
  const common = { image, command: ["exai-dumps"], resources: resourcesOf(scratch) };
  return {
    ...podOf(references),
    initContainers: [
      {
        ...common,
        name: "fetch",
        args: ["fetch"],
        environment: {
          BACKUP_SCRATCH: SCRATCH,
          HOME: "/tmp",
          ...DATABASE,
          ...repositoryVariables(args.repository, references),
        },
        mounts: [SECRETS_MOUNT, ...repositoryMounts(references)],
      },
    ],
    containers: [
      {
        ...common,
        name: "scratch",
        args: ["drill"],
        environment: {
          BACKUP_SCRATCH: SCRATCH,
          DRILL_NAME: drill.name,
          DRILL_CRON: drill.cron,
          DRILL_TIME_ZONE: drill.timeZone,
          DRILL_DEADLINE_MINUTES: String(drill.deadlineMinutes),
          HOME: "/tmp",
          // For those who open the server.
          PGHOST: "/tmp/exai-scratch",
          PGUSER: "postgres",
          PGDATABASE: "postgres",
          ...DATABASE,
        },
        mounts: [SECRETS_MOUNT],
      },
    ],
    scratch: { "/tmp": "1Gi", [SCRATCH]: scratch },
  };
}

const DUMP_SIZE = "10Gi";
const DATABASE = { DATABASE_URL_FILE: `${SECRETS_DIRECTORY}/database-url` };
const SECRETS_MOUNT = { volume: "secrets", path: SECRETS_DIRECTORY };

function podOf(references: References): Omit<PodSpec, "containers"> {
  return {
    ...PART,
    uid: POSTGRES_UID,
    serviceAccount: references.account,
    restartPolicy: "Never",
    graceSeconds: 60,
    // The schedules share the repository's volume, and two of them may be due in the same hour.
    together: references.claim !== undefined,
    volumes: [
      // Readable to the pod's group, which fsGroup makes the owner's.
      { name: "secrets", secret: { secretName: references.secret, defaultMode: 0o440 } },
      ...(references.claim === undefined
        ? []
        : [{ name: "repository", persistentVolumeClaim: { claimName: references.claim } }]),
    ],
  };
}

function repositoryVariables(repository: DumpRepository, { hasCredentials }: References) {
  return {
    RESTIC_PASSWORD_FILE: `${SECRETS_DIRECTORY}/repository-password`,
    RESTIC_REPOSITORY: repository.kind === "volume" ? REPOSITORY : repository.url,
    ...(hasCredentials ? { AWS_SHARED_CREDENTIALS_FILE: `${SECRETS_DIRECTORY}/aws-credentials` } : {}),
  };
}

function repositoryMounts({ claim }: References) {
  return claim === undefined ? [] : [{ volume: "repository", path: REPOSITORY, readOnly: false }];
}

/** @param scratch what the container writes besides restic's cache and the logs */
function resourcesOf(scratch: string): Resources {
  return {
    cpuRequest: "100m",
    cpuLimit: "1",
    memoryRequest: "256Mi",
    memoryLimit: "1Gi",
    diskLimit: withMargin(scratch),
  };
}

/** A multiple of a size in Kubernetes' units. */
function times(factor: number, size: string): string {
  const [, number = "", unit = ""] = /^([0-9.]+)(.*)$/.exec(size) ?? [];
  return `${factor * Number(number)}${unit}`;
}

/** A size in whole Gi plus 2 Gi; other units are not changed. */
function withMargin(size: string): string {
  const gibibytes = /^(\d+)Gi$/.exec(size)?.[1];
  return gibibytes === undefined ? size : `${Number(gibibytes) + 2}Gi`;
}
