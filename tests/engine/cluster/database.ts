import { describe, expect, test } from "vitest";
import { backupHistory } from "../../../operations/backups/history.ts";
import type { EngineStack } from "../../support/kubernetes/engine-stack.ts";

/** The spec of the Job that a CronJob makes. */
interface JobSpec {
  readonly template: { readonly spec: { readonly containers: readonly object[] } };
}

/** Runs the Job of the daily backup once, or another command in its pod. @returns what the pod printed */
async function runJob(
  { api, namespace }: EngineStack,
  name: string,
  container: { readonly command?: readonly string[]; readonly args?: readonly string[] } = {},
): Promise<string> {
  const cronJob = await api.get("batch/v1", "CronJob", namespace, "backup-daily");
  const { spec } = (cronJob?.spec as { jobTemplate: { spec: JobSpec } }).jobTemplate;
  const template = structuredClone(spec.template);
  Object.assign(template.spec.containers[0] ?? {}, container);
  // As kubectl makes it of the CronJob: its end is the Job's.
  const uid = cronJob?.metadata.uid;
  const owner = { apiVersion: "batch/v1", kind: "CronJob", name: "backup-daily", uid, controller: true };
  const metadata = { name, namespace, ownerReferences: [owner] };
  await api.apply({ apiVersion: "batch/v1", kind: "Job", metadata, spec: { ...spec, template, backoffLimit: 0 } });
  const pod = await api.until(`the pod of ${name}`, 60, async () => {
    const [found] = await api.list("v1", "Pod", namespace, { "batch.kubernetes.io/job-name": name });
    return found;
  });
  return api.logs(namespace, pod.metadata.name, 180);
}

/** Times of the backups in the repository of the stack, by the stack's own key. */
export async function snapshots(stack: EngineStack, name: string): Promise<readonly string[]> {
  const script = "restic snapshots --json --no-lock --no-cache";
  const said = await runJob(stack, name, { command: ["bash"], args: ["-euc", script] });
  return (JSON.parse(said.slice(said.indexOf("["))) as { time: string }[]).map(({ time }) => time);
}

/** The database behind the project: the server's own login, and backups by the stack's CronJobs. */
export function databaseTests(made: () => EngineStack): void {
  describe("the database", () => {
    test("has the server's login by the Job of the stack, and the servers use it by the pooler", async () => {
      const { api, namespace, database } = made();
      const job = await api.until("the Job database-login to end", 120, async () => {
        const found = await api.get("batch/v1", "Job", namespace, "database-login");
        return found?.status?.succeeded === 1 ? found : undefined;
      });
      expect(job.status).not.toHaveProperty("failed");
      expect((await made().pods("blue")).length).toBe(2);
      const logins = () => database.sql("select count(*) from pg_stat_activity where usename = 'exai_server'");
      await api.until("each server to log in", 60, async () => (Number(await logins()) >= 1 ? true : undefined));
    });

    test("is stored, encrypted, by the stack's CronJob, and recorded", async () => {
      await runJob(made(), "backup-by-hand");
      expect(await snapshots(made(), "look")).toHaveLength(1);
      const [record] = await backupHistory(made().database.url);
      expect(record).toMatchObject({ schedule: "daily", status: "completed", verification: "passed" });
    });
  });
}
