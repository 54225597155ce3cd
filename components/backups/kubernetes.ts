import { basename } from "node:path/posix";
import * as k8s from "@pulumi/kubernetes";
import type * as pulumi from "@pulumi/pulumi";
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
import { podTemplate, type PodSpec } from "../core/pod.ts";
import { transformed, type Transform } from "../core/transform.ts";
import { SECRETS_DIRECTORY } from "../../contract/server.ts";
import { DATABASE_CA_PATH, DATABASE_PORTS, POSTGRES_UID } from "../database/paths.ts";
import { MountedSecret } from "../secrets/kubernetes.ts";
import { BackupSchedule, type Schedule } from "./schedules.ts";

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

    this.cronJobs = args.schedules.map(
      (schedule) =>
        new k8s.batch.v1.CronJob(
          ...transformed(
            args.transform?.cronJob,
            `${name}-${schedule.name}`,
            cronJobArgs(schedule, args, {
              account: account.metadata.name,
              secret: secret.secretName,
              hasCredentials: credentials !== undefined,
              ...(claim === undefined ? {} : { claim: claim.metadata.name }),
            }),
            { parent: this },
          ),
        ),
    );
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

/** The CronJob of one schedule; pure. */
export function cronJobArgs(
  schedule: Schedule,
  args: Pick<KubernetesBackupsArgs, "platform" | "image" | "repository" | "scratch">,
  references: References,
): k8s.batch.v1.CronJobArgs {
  const { platform } = args;
  return {
    metadata: metadata(platform, PART, `backup-${schedule.name}`),
    spec: {
      schedule: schedule.cron,
      timeZone: schedule.timeZone,
      // A dump that takes longer than its period must not overlap the next one.
      concurrencyPolicy: "Forbid",
      // A controller that was unavailable for less than this starts the missed run.
      startingDeadlineSeconds: 1800,
      successfulJobsHistoryLimit: 3,
      failedJobsHistoryLimit: 3,
      jobTemplate: {
        metadata: { labels: partLabels(platform, PART) },
        spec: {
          backoffLimit: 2,
          activeDeadlineSeconds: schedule.frequency === "hourly" ? 3300 : 6 * 3600,
          // Manually created jobs are deleted too.
          ttlSecondsAfterFinished: 7 * 86_400,
          template: podTemplate(dumpPod(schedule, args, references), platform),
        },
      },
    },
  };
}

/** The pod of one run; pure. */
export function dumpPod(
  schedule: Schedule,
  args: Pick<KubernetesBackupsArgs, "image" | "repository" | "scratch">,
  references: References,
): PodSpec {
  const { repository } = args;
  const scratch = args.scratch ?? "10Gi";
  return {
    ...PART,
    uid: POSTGRES_UID,
    serviceAccount: references.account,
    restartPolicy: "Never",
    graceSeconds: 60,
    // The schedules share the repository's volume, and two of them may be due in the same hour.
    together: references.claim !== undefined,
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
          DATABASE_URL_FILE: `${SECRETS_DIRECTORY}/database-url`,
          HOME: "/tmp",
          RESTIC_PASSWORD_FILE: `${SECRETS_DIRECTORY}/repository-password`,
          RESTIC_REPOSITORY: repository.kind === "volume" ? REPOSITORY : repository.url,
          ...(references.hasCredentials ? { AWS_SHARED_CREDENTIALS_FILE: `${SECRETS_DIRECTORY}/aws-credentials` } : {}),
        },
        mounts: [
          { volume: "secrets", path: SECRETS_DIRECTORY },
          ...(references.claim === undefined ? [] : [{ volume: "repository", path: REPOSITORY, readOnly: false }]),
        ],
        resources: {
          cpuRequest: "100m",
          cpuLimit: "1",
          memoryRequest: "256Mi",
          memoryLimit: "1Gi",
          // The dump, restic's cache and the logs.
          diskLimit: withMargin(scratch),
        },
      },
    ],
    volumes: [
      // Readable to the pod's group, which fsGroup makes the owner's.
      { name: "secrets", secret: { secretName: references.secret, defaultMode: 0o440 } },
      ...(references.claim === undefined
        ? []
        : [{ name: "repository", persistentVolumeClaim: { claimName: references.claim } }]),
    ],
    scratch: { "/tmp": "1Gi", [SCRATCH]: scratch },
  };
}

/** A size in whole Gi plus 2 Gi; other units are not changed. */
function withMargin(size: string): string {
  const gibibytes = /^(\d+)Gi$/.exec(size)?.[1];
  return gibibytes === undefined ? size : `${Number(gibibytes) + 2}Gi`;
}
