import { describe, expect, it } from "vitest";
import { cronJobArgs } from "../../components/backups/kubernetes.ts";
import { backupSchedules, type Schedule } from "../../components/backups/schedules.ts";

const platform = { instance: "exai-test", stack: "staging", namespace: "exai-test" };
const image = `example.com/postgres@sha256:${"0".repeat(64)}`;
const [daily, hourly] = backupSchedules({
  timeZone: "Europe/Berlin",
  dailyRetentionDays: 30,
  hourlyRetentionDays: 7,
  weeklyRetentionDays: 90,
}) as [Schedule, Schedule];
const onVolume = { account: "backup", secret: "backup", claim: "backup-repository", hasCredentials: false };

interface Job {
  spec: {
    schedule: string;
    timeZone: string;
    concurrencyPolicy: string;
    jobTemplate: {
      spec: { activeDeadlineSeconds: number; template: { metadata: { labels: Record<string, string> }; spec: Pod } };
    };
  };
}
interface Pod {
  automountServiceAccountToken: boolean;
  restartPolicy: string;
  affinity?: {
    podAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: {
        topologyKey: string;
        labelSelector: { matchLabels: Record<string, string> };
      }[];
    };
  };
  securityContext: Record<string, unknown>;
  containers: {
    args: string[];
    env: { name: string; value: string }[];
    volumeMounts: { name: string; mountPath: string; readOnly?: boolean }[];
    securityContext: Record<string, unknown>;
    resources: { limits: Record<string, string> };
  }[];
  volumes: Record<string, unknown>[];
}

function job(
  schedule: Schedule,
  repository: Parameters<typeof cronJobArgs>[1]["repository"],
  references: Parameters<typeof cronJobArgs>[2] = onVolume,
): Job {
  return cronJobArgs(schedule, { platform, image, repository }, references) as unknown as Job;
}
const volume = { kind: "volume", size: "50Gi" } as const;

describe("a CronJob of dumps", () => {
  it("runs on the schedule's wall clock, and never twice at a time", () => {
    const { spec } = job(daily, volume);
    expect([spec.schedule, spec.timeZone, spec.concurrencyPolicy]).toEqual(["0 2 * * *", "Europe/Berlin", "Forbid"]);
  });

  it("ends an hourly run before the next one is due", () => {
    expect(job(hourly, volume).spec.jobTemplate.spec.activeDeadlineSeconds).toBeLessThan(3600);
  });

  it("is hardened, without a token of the cluster", () => {
    const pod = job(daily, volume).spec.jobTemplate.spec.template.spec;
    expect(pod.automountServiceAccountToken).toBe(false);
    expect(pod.restartPolicy).toBe("Never");
    expect(pod.securityContext).toMatchObject({
      runAsNonRoot: true,
      runAsUser: 10999,
      seccompProfile: { type: "RuntimeDefault" },
    });
    expect(pod.containers[0]?.securityContext).toMatchObject({
      readOnlyRootFilesystem: true,
      allowPrivilegeEscalation: false,
      capabilities: { drop: ["ALL"] },
    });
    expect(pod.containers[0]?.resources.limits).toMatchObject({ memory: "1Gi", "ephemeral-storage": "12Gi" });
  });

  it("passes secrets as files, not as values", () => {
    const container = job(daily, volume).spec.jobTemplate.spec.template.spec.containers[0];
    const environment = Object.fromEntries((container?.env ?? []).map(({ name, value }) => [name, value]));
    expect(environment).toMatchObject({
      DATABASE_URL_FILE: "/run/secrets/exai/database-url",
      RESTIC_PASSWORD_FILE: "/run/secrets/exai/repository-password",
      RESTIC_REPOSITORY: "/repository",
      BACKUP_NAME: "daily",
      BACKUP_RETENTION_DAYS: "30",
    });
    expect(container?.volumeMounts).toContainEqual({ name: "secrets", mountPath: "/run/secrets/exai", readOnly: true });
    expect(container?.volumeMounts).toContainEqual({ name: "repository", mountPath: "/repository", readOnly: false });
  });

  it("runs on the node that has the volume of the schedules", () => {
    const affinity = (of: Job) => of.spec.jobTemplate.spec.template.spec.affinity?.podAffinity;
    const term = affinity(job(hourly, volume))?.requiredDuringSchedulingIgnoredDuringExecution[0];
    expect(term?.topologyKey).toBe("kubernetes.io/hostname");
    expect(job(daily, volume).spec.jobTemplate.spec.template.metadata.labels).toMatchObject(
      term?.labelSelector.matchLabels ?? { none: "at all" },
    );
    const remote = { kind: "remote", url: "s3:https://s3.example.com/backups" } as const;
    const elsewhere = { account: "backup", secret: "backup", hasCredentials: true };
    expect(affinity(job(daily, remote, elsewhere))).toBeUndefined();
  });

  it("needs no volume if the repository is remote", () => {
    const remote = { kind: "remote", url: "s3:https://s3.example.com/backups" } as const;
    const elsewhere = { account: "backup", secret: "backup", hasCredentials: true };
    const pod = job(daily, remote, elsewhere).spec.jobTemplate.spec.template.spec;
    expect(pod.volumes.some((entry) => "persistentVolumeClaim" in entry)).toBe(false);
    const environment = Object.fromEntries((pod.containers[0]?.env ?? []).map(({ name, value }) => [name, value]));
    expect(environment).toMatchObject({
      RESTIC_REPOSITORY: "s3:https://s3.example.com/backups",
      AWS_SHARED_CREDENTIALS_FILE: "/run/secrets/exai/aws-credentials",
    });
  });
});
