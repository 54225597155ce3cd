import { describe, expect, test } from "vitest";
import type { EngineStack } from "../../support/kubernetes/engine-stack.ts";

/** Runs a verb on the stack's backups. @returns what it ends with */
async function ran({ checkout, stack }: EngineStack, ...words: readonly string[]) {
  return (await checkout.events([...words, stack])).at(-1)?.data;
}

/** Labels of the backups in the repository of the stack, by the stack's own key. */
export async function storedBackups(stack: EngineStack): Promise<readonly unknown[]> {
  const listed = await ran(stack, "backup", "list");
  return (listed?.backups as { label: string; stored?: boolean }[])
    .filter(({ stored }) => stored)
    .map(({ label }) => label);
}

/** The database behind the project: the server's own login, and backups by the stack's CronJobs. */
export function databaseTests(stack: () => EngineStack): void {
  describe("the database", () => {
    test("has the server's login by the Job of the stack, and the servers use it by the pooler", async () => {
      const { api, namespace, database } = stack();
      const job = await api.until("the Job database-login to end", 120, async () => {
        const found = await api.get("batch/v1", "Job", namespace, "database-login");
        return found?.status?.succeeded === 1 ? found : undefined;
      });
      expect(job.status).not.toHaveProperty("failed");
      expect((await stack().pods("blue")).length).toBe(2);
      const logins = () => database.sql("select count(*) from pg_stat_activity where usename = 'exai_server'");
      await api.until("each server to log in", 60, async () => (Number(await logins()) >= 1 ? true : undefined));
    });

    test("is dumped, listed, verified and restored by the verbs, with the stack's own CronJobs", async () => {
      const made = await ran(stack(), "backup", "now", "--kind", "full");
      expect(made).toMatchObject({ outcome: "completed", backup: { schedule: "daily", verification: "passed" } });
      const { label } = made?.backup as { label: string };
      const listed = await ran(stack(), "backup", "list");
      expect(listed?.backups).toMatchObject([{ label, status: "completed", stored: true }]);
      expect(await ran(stack(), "backup", "verify")).toMatchObject({ outcome: "sound", findings: [] });
      expect(await ran(stack(), "drill")).toMatchObject({ outcome: "passed", recorded: true });
      await ran(stack(), "restore", "--backup", label, "--into", "look");
      expect(await ran(stack(), "restore", "list")).toMatchObject({ servers: [{ name: "look", running: true }] });
      await ran(stack(), "restore", "drop", "look");
      expect(await ran(stack(), "restore", "list")).toMatchObject({ servers: [] });
    });
  });
}
