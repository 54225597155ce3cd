import { describe, expect, it } from "vitest";
import { drillJobArgs } from "../../../components/backups/kubernetes.ts";
import { drillTimes } from "../../../components/backups/schedules.ts";
import { RESTORE_DRILL } from "../../../contract/backups.ts";
import { jobOf, type JobRequest } from "../../../operations/dumps/job.ts";
import type { CronJob, Found } from "../../../operations/rollout/kubernetes/api-types.ts";

const platform = { instance: "exai-test", stack: "staging", namespace: "exai-test" };
const image = `example.com/postgres@sha256:${"0".repeat(64)}`;
const repository = { kind: "volume", size: "50Gi" } as const;
const references = { account: "backup", secret: "backup", claim: "backup-repository", hasCredentials: false };
const declared = drillJobArgs(
  { platform, image, repository, scratch: "10Gi", drill: drillTimes("UTC") },
  references,
) as unknown as Found<CronJob>;
const cronJob = { ...declared, metadata: { ...declared.metadata, uid: "u-1" } };

function pod(request: Partial<JobRequest> = {}) {
  const job = jobOf(cronJob, { cronJob: RESTORE_DRILL, name: "restored-files", ...request });
  const spec = job.spec?.template.spec;
  const containers = Object.fromEntries(
    [...(spec?.initContainers ?? []), ...(spec?.containers ?? [])].map((container) => [container.name, container]),
  );
  return { job, spec, containers };
}

const mounts = (container: { volumeMounts?: { name: string }[] } | undefined) =>
  (container?.volumeMounts ?? []).map(({ name }) => name);

describe("the pod of a drill", () => {
  it("gives the repository and its key to the container that fetches, and not to the server", () => {
    const { containers } = pod();
    expect(mounts(containers.fetch)).toContain("repository");
    expect(mounts(containers.scratch)).not.toContain("repository");
    expect(JSON.stringify(containers.scratch?.env)).not.toContain("RESTIC");
  });

  it("is hardened, without a token, and has room for the dump and for the database", () => {
    const { spec, containers } = pod();
    expect(spec).toMatchObject({ automountServiceAccountToken: false, restartPolicy: "Never" });
    for (const container of Object.values(containers))
      expect(container.securityContext).toMatchObject({
        readOnlyRootFilesystem: true,
        capabilities: { drop: ["ALL"] },
      });
    expect(spec?.volumes).toContainEqual({ name: "scratch-scratch", emptyDir: { sizeLimit: "30Gi" } });
  });
});

describe("a Job of a CronJob", () => {
  it("belongs to the CronJob, has its template, and is not repeated", () => {
    const { job, spec } = pod();
    expect(job.metadata?.ownerReferences).toEqual([
      { apiVersion: "batch/v1", kind: "CronJob", name: RESTORE_DRILL, uid: "u-1", controller: true },
    ]);
    expect(job.spec).toMatchObject({ backoffLimit: 0, activeDeadlineSeconds: 59 * 60 });
    expect(job.spec?.template.metadata?.labels).toMatchObject({ "exai.component": "backup" });
    expect(spec).toMatchObject({ serviceAccountName: "backup" });
  });

  it("differs in what the request names alone", () => {
    const { job, containers } = pod({
      labels: { "exai.restored": "files" },
      deadlineSeconds: 60,
      containers: {
        fetch: { environment: { RESTORE_SNAPSHOT: "1a2b3c4d", HOME: "/scratch" } },
        scratch: { args: ["serve"], without: ["secrets"] },
      },
    });
    expect(job.metadata?.labels).toMatchObject({ "exai.restored": "files", "exai.component": "backup" });
    expect(job.spec?.activeDeadlineSeconds).toBe(60);
    const variables = Object.fromEntries((containers.fetch?.env ?? []).map(({ name, value }) => [name, value]));
    expect(variables).toMatchObject({
      ...{ RESTORE_SNAPSHOT: "1a2b3c4d", HOME: "/scratch", RESTIC_REPOSITORY: "/repository" },
    });
    expect(containers.fetch?.env?.filter(({ name }) => name === "HOME")).toHaveLength(1);
    expect(containers.scratch).toMatchObject({ command: ["exai-dumps"], args: ["serve"] });
    expect(mounts(containers.scratch)).not.toContain("secrets");
    expect(mounts(containers.fetch)).toContain("secrets");
  });
});
