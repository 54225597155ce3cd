import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { backupVerify } from "../../../cli/commands/backups/backup.ts";
import { runDrill } from "../../../cli/commands/backups/drill.ts";
import { migrateApply } from "../../../cli/commands/migrate/migrate.ts";
import type { BackupVerification } from "../../../operations/backups/verify.ts";
import { docker } from "../../../operations/docker/cli.ts";
import type { DrillResult } from "../../../operations/restore/drill.ts";
import { firstBackup, healthy, startPostgresStack, type PostgresStack } from "../../support/postgres-stack.ts";
import { runVerb as run } from "../../support/verbs.ts";

let stack: PostgresStack;

beforeAll(async () => {
  stack = await startPostgresStack({ repositoryMegabytes: 224 });
  await run(migrateApply(stack.url));
  await stack.startRunner();
  await firstBackup(stack);
  await stack.sql("insert into auth.users (id, email) values (gen_random_uuid(), 'a@example.com')");
  await stack.sql("select pg_switch_wal()");
});
afterAll(async () => {
  await stack.down();
});

const inRunner = (script: string) => docker(["exec", stack.runner, "bash", "-c", script]);

async function verified(): Promise<{ readonly code: number; readonly data: BackupVerification }> {
  const { code, events } = await run(backupVerify(stack.runner));
  return { code, data: (events.at(-1) as { data: BackupVerification }).data };
}

/** The gauge that the alert RepositoryDamaged reads. */
const damaged = async () => (await stack.sql("select damaged_backups from exai.repository_status")).trim();

describe("a verification", () => {
  it("of a sound repository restores a sample, and is recorded for every backup", async () => {
    const { code, data } = await verified();
    expect(data.findings).toEqual([]);
    expect(code).toBe(0);
    expect(data.sample?.label).toMatch(/^\d{8}-\d{6}F$/);
    expect(await damaged()).toBe("0");
    expect(
      await stack.sql("select count(*) > 0 from backup_verification where method = 'restore' and status = 'passed'"),
    ).toBe("t\n");
  });

  const REPOSITORY = "/var/lib/pgbackrest";
  const BACKUP = `$(ls -d ${REPOSITORY}/backup/exai/2*F)`;
  const SEGMENT = `$(ls ${REPOSITORY}/archive/exai/15-1/0000000100000000/*.zst | sed -n 2p)`;
  it.each([
    ["a missing backup folder", "backup-missing", `rm -r ${BACKUP}`],
    ["a missing manifest", "manifest-missing", `rm ${BACKUP}/backup.manifest`],
    ["a missing segment", "segment-missing", `rm ${SEGMENT}`],
    ["a flipped bit", "file-damaged", `printf Z | dd of=${BACKUP}/bundle/1 bs=1 seek=5000 conv=notrunc status=none`],
    ["a truncated file", "file-damaged", `truncate --size=-2000 ${BACKUP}/bundle/1`],
    ["a wrong key", "wrong-key", `sed -i s/cipher-pass=.*/cipher-pass=wrong/ /tmp/pgbackrest/pgbackrest.conf`],
  ])("finds %s, and the gauge of the alert rises", async (_, code, damage) => {
    const saved = "/run/postgresql/saved";
    const conf = "/tmp/pgbackrest/pgbackrest.conf";
    await inRunner(`mkdir ${saved} && cp -r ${REPOSITORY}/archive ${REPOSITORY}/backup ${conf} ${saved}`);
    try {
      await inRunner(damage);
      const result = await verified();
      expect(result.code).toBe(1);
      expect(result.data.findings.map((finding) => finding.code)).toContain(code);
      expect(Number(await damaged())).toBeGreaterThan(0);
    } finally {
      await inRunner(
        `cp -r ${saved}/archive ${saved}/backup ${REPOSITORY}/; cp ${saved}/pgbackrest.conf ${conf}; rm -r ${saved}`,
      );
    }
  });

  it("of the repaired repository is sound again, and finds one without room, which loses nothing once it has some", async () => {
    expect((await verified()).data.findings).toEqual([]);
    expect(await damaged()).toBe("0");
    await inRunner(`cat /dev/zero > ${REPOSITORY}/filler || true`);
    const segment = await stack.sql(
      "create table public.kept (); select pg_walfile_name(pg_switch_wal()); insert into public.kept default values",
    );
    await expect
      .poll(() => stack.sql("select failed_count > 0 from pg_stat_archiver"), { timeout: 60_000 })
      .toBe("t\n");
    expect((await verified()).data.findings.map(({ code }) => code)).toEqual(
      expect.arrayContaining(["repository-full", "archive-failing"]),
    );
    expect(Number(await damaged())).toBeGreaterThan(0);
    await inRunner(`rm ${REPOSITORY}/filler`);
    await expect
      .poll(() => stack.sql(`select last_archived_wal >= '${segment.trim()}' from pg_stat_archiver`), {
        timeout: 90_000,
      })
      .toBe("t\n");
    expect((await verified()).data.findings).toEqual([]);
    expect(await damaged()).toBe("0");
    expect(await stack.sql("select count(*) from public.kept")).toBe("1\n");
  });

  it("finds a runner that was killed in the midst of a backup, and loses nothing", async () => {
    await stack.sql("select exai.backup_request('full')");
    await expect
      .poll(() => stack.sql("select count(*) from backup_history where status = 'in_progress'"), { timeout: 30_000 })
      .toBe("1\n");
    await docker(["kill", stack.runner]);
    await docker(["start", stack.runner]);
    await healthy(stack.runner);
    await expect
      .poll(async () => (await verified()).data.findings.map(({ code }) => code), { timeout: 60_000 })
      .toEqual(["runner-interrupted"]);
    expect(Number(await damaged())).toBeGreaterThan(0);
    expect(await stack.sql("select count(*) from auth.users")).toBe("1\n");
  });
});

describe("a drill", () => {
  it("restores for real, counts the acknowledged rows that are lost, and is recorded", async () => {
    const { code, events } = await run(runDrill(stack.url));
    const { data } = events.at(-1) as { data: DrillResult };
    expect(data.checks.filter(({ status }) => status === "failed")).toEqual([]);
    expect(code).toBe(0);
    const names = ["beacon", "amcheck", "foreign-keys", "sequences", "dump", "row-counts"];
    expect(data.checks.map(({ name }) => name)).toEqual(names);
    const { acknowledgedRows, restoredRows, rpoSeconds } = data;
    expect(acknowledgedRows).toBeGreaterThan(0);
    expect(restoredRows).toBeLessThanOrEqual(acknowledgedRows ?? 0);
    // The archive closes an open segment after 30 s.
    expect((rpoSeconds ?? 0) > 0).toBe(restoredRows !== acknowledgedRows);
    expect(await stack.sql("select last_rto_seconds > 0, failures_total from exai.drill_status")).toBe("t|0\n");
  });

  it("that cannot run is a failed one", async () => {
    await docker(["stop", stack.runner]);
    const { code, events } = await run(runDrill(stack.url, { claimSeconds: 2 }));
    expect(code).toBe(1);
    expect((events.at(-1) as { data: DrillResult }).data.error).toBe("no runner took the drill");
    expect(await stack.sql("select failures_total from exai.drill_status")).toBe("1\n");
  });
});
