import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { BackupListData } from "../../../cli/results.ts";
import { backupList, backupNow } from "../../../cli/commands/backups/backup.ts";
import { migrateApply } from "../../../cli/commands/migrate/migrate.ts";
import type { CliEvent } from "../../../cli/events.ts";
import { backupHistory, type BackupRecord } from "../../../operations/backups/history.ts";
import type { BackupResult } from "../../../operations/backups/request.ts";
import { docker, tryDocker } from "../../../operations/docker/cli.ts";
import { HARDENING, healthy, startPostgresStack, type PostgresStack } from "../../support/postgres-stack.ts";
import { runVerb as run } from "../../support/verbs.ts";

let stack: PostgresStack;

beforeAll(async () => {
  stack = await startPostgresStack();
});
afterAll(async () => {
  await stack.down();
});

const dataOf = (events: readonly CliEvent[]) => (events.at(-1) as { data: BackupResult }).data;

/** Waits until the history has what is looked for. */
async function eventually(
  what: string,
  found: (history: readonly BackupRecord[]) => BackupRecord | undefined,
  { seconds = 60, everyMs = 500 } = {},
): Promise<BackupRecord> {
  const deadline = Date.now() + seconds * 1000;
  for (;;) {
    // A machine that is busy with other suites may let a connection time out.
    const history = await backupHistory(stack.url).catch(() => []);
    const record = found(history);
    if (record !== undefined) return record;
    if (Date.now() > deadline) {
      const logs = await docker(["logs", "--tail", "20", stack.runner]).catch(() => "");
      throw new Error(`no ${what}; ${JSON.stringify(history)}\n${logs}`);
    }
    await sleep(everyMs);
  }
}

/** The schedules fall due at the full hour: what they enqueue would stand among what is listed and counted. */
async function clearOfFullHour(): Promise<void> {
  const left = 3_600_000 - (Date.now() % 3_600_000);
  if (left > 60_000) return;
  await sleep(left + 5000);
  await eventually("runner with nothing to do", (history) =>
    history.every(
      ({ status, verification }) => status === "failed" || (status === "completed" && verification !== null),
    )
      ? history[0]
      : undefined,
  );
}

/** Asks for a full backup, and stops the runner's processes in the midst of it. */
async function pauseInBackup(): Promise<void> {
  const running = (history: readonly BackupRecord[]) => history.find((record) => record.status === "in_progress");
  for (;;) {
    await stack.sql("select exai.backup_request('full')");
    await eventually("running backup", running, { everyMs: 50 });
    // Docker cannot always freeze a container on a busy machine.
    const paused = await tryDocker(["pause", stack.runner]);
    // The backup may have ended a moment before.
    if (paused.code === 0 && running(await backupHistory(stack.url)) !== undefined) return;
    await tryDocker(["unpause", stack.runner]);
  }
}

describe("backups of the local database", () => {
  it("are refused, with the fix, if the migrations are missing", async () => {
    await expect(run(backupNow(stack.url, { kind: "full" }))).rejects.toThrow(/no history of backups yet/);
  });

  it("withdraw a request that no runner takes", async () => {
    await run(migrateApply(stack.url));
    const { code, events } = await run(backupNow(stack.url, { kind: "full", claimSeconds: 1 }));
    expect(code).toBe(2);
    expect(dataOf(events).outcome).toBe("not-claimed");
    expect(await backupHistory(stack.url)).toEqual([]);
  });

  it("start automatically with a full backup, which is verified", async () => {
    await stack.startRunner();
    await healthy(stack.runner);
    // The runner shares the server's user and socket, and is not the owner of the database.
    const owner = await tryDocker(["exec", stack.runner, "psql", "-Xw", "-U", "postgres", "-c", "select 1"]);
    expect(owner.stderr).toContain("no password supplied");
    const first = await eventually("first backup", (history) =>
      history.find((record) => record.trigger === "initial" && record.verification !== null),
    );
    expect(first).toMatchObject({ kind: "full", schedule: "daily", status: "completed", verification: "passed" });
    expect(first.label).toMatch(/^\d{8}-\d{6}F$/);
    expect(first.storedBytes).toBeGreaterThan(0);
    expect(await stack.sql("select name, kind, cron_expression, retention_days from backup_schedules order by 1")).toBe(
      "daily|full|0 2 * * *|30\nhourly|incremental|0 * * * *|7\nweekly|differential|0 3 * * 0|90\n",
    );
  });

  it("are made on request", async () => {
    await clearOfFullHour();
    await stack.sql(
      "insert into auth.users (id, email) select gen_random_uuid(), 'user' || i || '@example.com' from generate_series(1, 500) as i",
    );
    const { code, events } = await run(backupNow(stack.url, { kind: "incremental" }));
    expect(code).toBe(0);
    const record = dataOf(events).backup;
    expect(record.label).toMatch(/^\d{8}-\d{6}F_\d{8}-\d{6}I$/);
    expect(record.verification).toBe("passed");
    expect(await stack.sql(`select row_counts ->> 'auth.users' from backup_history where id = '${record.id}'`)).toBe(
      "500\n",
    );

    const listed = await run(backupList(stack.url));
    const { backups } = (listed.events.at(-1) as { data: BackupListData }).data;
    expect(backups[0]).toMatchObject({
      ...{ schedule: null, trigger: "manual", kind: "incremental", status: "completed", verification: "passed" },
      label: record.label,
    });
  });

  it("count as a backup of the weekly schedule if requested as weekly", async () => {
    const { events } = await run(backupNow(stack.url, { kind: "weekly" }));
    const record = dataOf(events).backup;
    expect(record).toMatchObject({ schedule: "weekly", kind: "differential", trigger: "manual" });
    expect(record.label).toMatch(/D$/);
  });

  it("are enqueued by pg_cron when they are due", async () => {
    await stack.sql("update backup_schedules set cron_expression = '* * * * *' where name = 'hourly'");
    const due = await eventually(
      "due backup",
      (history) => history.find((record) => record.trigger === "schedule" && record.verification !== null),
      { seconds: 150 },
    );
    expect(due).toMatchObject({ schedule: "hourly", kind: "incremental", status: "completed", verification: "passed" });
    await stack.sql("update backup_schedules set cron_expression = '0 * * * *' where name = 'hourly'");
  });

  it("wait for each other and are not withdrawn meanwhile", async () => {
    await pauseInBackup();
    const verb = backupNow(stack.url, { kind: "incremental", claimSeconds: 5 });
    for (let state: string | undefined; state !== "waits for another backup to end";) {
      const next = await verb.next();
      if (next.done === true) throw new Error("it did not wait");
      if (next.value.type === "step") state = next.value.detail;
    }
    // Longer than it would wait for a runner that is absent.
    const [{ code }] = await Promise.all([run(verb), sleep(6000).then(() => docker(["unpause", stack.runner]))]);
    expect(code).toBe(0);
  });

  it("are recorded as failed if the runner dies, and continue with the next runner", async () => {
    await pauseInBackup();
    await docker(["kill", stack.runner]);
    await docker(["start", stack.runner]);
    const failed = await eventually("failed backup", (history) => history.find((record) => record.status === "failed"));
    expect(failed.error).toContain("the runner ended before the backup did");
    expect((await run(backupNow(stack.url, { kind: "incremental" }))).code).toBe(0);
  });

  it("expire after their retention time", async () => {
    await clearOfFullHour();
    const { events } = await run(backupNow(stack.url, { kind: "full" }));
    const newest = dataOf(events).backup;
    await stack.sql(
      `update backup_history set started_at = started_at - interval '100 days', finished_at = finished_at - interval '100 days' where status = 'completed' and label <> '${newest.label ?? ""}'`,
    );
    await run(backupNow(stack.url, { kind: "incremental" }));
    const restorable = (history: readonly BackupRecord[]) =>
      history.filter((record) => record.status === "completed" && record.expiredAt === null);
    await eventually("expiry", (history) => {
      const left = restorable(history);
      return left.length === 2 ? left[0] : undefined;
    });
    const kept = JSON.parse(
      await docker([
        "exec",
        stack.runner,
        "pgbackrest",
        "--stanza=exai",
        "--output=json",
        "--log-level-console=off",
        "info",
      ]),
    ) as [{ backup: { label: string }[] }];
    const usable = restorable(await backupHistory(stack.url));
    expect(kept[0].backup.map((backup) => backup.label)).toEqual(usable.map((record) => record.label).reverse());
    expect(usable).toHaveLength(2);
  });

  it("restore into another server, with the WAL archived after the last one", async () => {
    await stack.sql("insert into auth.users (id, email) values (gen_random_uuid(), 'after-the-backup@example.com')");
    await stack.sql("select pg_switch_wal()");
    const archived = async () => {
      const [pending] = (
        await stack.sql("select count(*) from pg_ls_archive_statusdir() where name like '%.ready'")
      ).split("\n");
      return pending === "0";
    };
    for (let tries = 0; !(await archived()) && tries < 50; tries++) await sleep(200);

    const scratch = `${stack.name}-scratch`;
    await docker(["volume", "create", "--label", stack.name, `${scratch}-data`]);
    const restore = "pgbackrest --stanza=exai --archive-mode=off restore";
    const serve =
      "postgres -D $PGDATA -c config_file=/usr/share/exai/postgresql.conf -c archive_mode=off -c listen_addresses= -c unix_socket_directories=/tmp -c hba_file=/tmp/hba.conf -c shared_preload_libraries=";
    const secrets = `${stack.home}/postgres/run/secrets/exai`;
    await docker([
      ...[
        "run",
        "--detach",
        "--name",
        scratch,
        "--label",
        stack.name,
        "--network",
        "none",
        "--user",
        "10999:10999",
        ...HARDENING,
      ],
      ...["--tmpfs", "/tmp:size=64m,mode=1777"],
      ...[
        "--volume",
        `${scratch}-data:/var/lib/postgresql/data`,
        "--volume",
        `${stack.name}-postgres-backups:/var/lib/pgbackrest:ro`,
      ],
      ...[
        "--volume",
        `${secrets}:/run/secrets/exai:ro`,
        "--env",
        "BACKUP_PASSPHRASE_FILE=/run/secrets/exai/backup-passphrase",
      ],
      ...[stack.image, "bash", "-c", `${restore} && echo local all postgres peer > /tmp/hba.conf && exec ${serve}`],
    ]);
    const query = (sql: string) =>
      docker(["exec", scratch, "psql", "-XqAt", "-h", "/tmp", "-U", "postgres", "-c", sql]);
    let users = "";
    for (let tries = 0; tries < 120 && users === ""; tries++) {
      await sleep(500);
      users = await query("select count(*) from auth.users where not pg_is_in_recovery()").catch(() => "");
      if (users === "0\n") users = "";
    }
    expect(users, (await tryDocker(["logs", "--tail", "20", scratch])).stderr).toBe("501\n");
    expect(await query("select count(*) from auth.users where email = 'after-the-backup@example.com'")).toBe("1\n");
    expect(await query("select count(*) from supabase_migrations.schema_migrations")).toBe(
      await stack.sql("select count(*) from supabase_migrations.schema_migrations"),
    );
  });

  it("are not readable without the passphrase", async () => {
    const found = await docker([
      ...[
        "run",
        "--rm",
        "--network",
        "none",
        "--volume",
        `${stack.name}-postgres-backups:/repository:ro`,
        "--entrypoint",
        "bash",
        stack.image,
      ],
      ...["-c", "cat $(find /repository -name 'backup.info') | head -c 8"],
    ]);
    // How OpenSSL begins what it encrypts with a salt.
    expect(found).toBe("Salted__");
  });

  it("fail their verification if the repository is damaged", async () => {
    await clearOfFullHour();
    const damage =
      "file=$(find /var/lib/pgbackrest/backup -path '*bundle*' -type f | head -1); printf damaged | dd of=$file bs=1 seek=1000 conv=notrunc status=none";
    await docker(["exec", stack.runner, "bash", "-c", damage]);
    const { code, events } = await run(backupNow(stack.url, { kind: "incremental" }));
    expect(code).toBe(2);
    expect(dataOf(events).outcome).toBe("verification-failed");
    const [latest] = await backupHistory(stack.url, 1);
    expect(latest).toMatchObject({ status: "completed", verification: "failed" });
  });
});
