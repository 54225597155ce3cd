import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { drillPod, dumpPod } from "../../../components/backups/kubernetes.ts";
import type { PodContainer, PodSpec } from "../../../components/core/pod.ts";
import { backupSchedules, drillTimes, type Schedule } from "../../../components/backups/schedules.ts";
import { backupHistory } from "../../../operations/backups/history.ts";
import { docker, tryDocker } from "../../../operations/docker/cli.ts";
import type { Ran } from "../../../operations/docker/process.ts";
import { drillResult } from "../../../operations/dumps/commands.ts";
import { applyMigrations } from "../../../operations/migrations/apply.ts";
import { HARDENING, startPostgresStack, type PostgresStack } from "../../support/postgres-stack.ts";

let stack: PostgresStack;
const [daily, hourly] = backupSchedules({
  timeZone: "UTC",
  dailyRetentionDays: 30,
  hourlyRetentionDays: 7,
  weeklyRetentionDays: 90,
}) as [Schedule, Schedule];

beforeAll(async () => {
  stack = await startPostgresStack();
  const migrating = applyMigrations(stack.url);
  while ((await migrating.next()).done !== true);
  await stack.sql("insert into auth.users (id) select gen_random_uuid() from generate_series(1, 200)");
  // A line break inside a value must not count as a row.
  await stack.sql(
    String.raw`insert into public.conversations (user_id, title) select id, E'two\nlines \\. and a tab\t' from auth.users`,
  );
  await docker(["volume", "create", "--label", stack.name, repository()]);
  // Kubernetes gives the volume to the pod's group; Docker needs an explicit group.
  await docker([
    ...["run", "--rm", "--user", "0", "--entrypoint", "chown", "--volume", `${repository()}:/repository`],
    ...[stack.image, "10999:10999", "/repository"],
  ]);
});
afterAll(async () => {
  await stack.down();
});

const repository = () => `${stack.name}-restic`;

/** Files of the pod's secret, as the kubelet mounts them. */
function secrets(files: Readonly<Record<string, string>> = {}): string {
  const directory = join(stack.home, `secrets-${Object.values(files).join("").length}`);
  mkdirSync(directory, { recursive: true });
  const contents = {
    "database-url": `postgres://postgres:${stack.password}@postgres:5432/postgres?sslmode=disable`,
    "repository-password": "a password of the repository",
    ...files,
  };
  for (const [name, content] of Object.entries(contents))
    writeFileSync(join(directory, name), content, { mode: 0o444 });
  return directory;
}

const volume = { kind: "volume", size: "1Gi" } as const;
const references = { account: "backup", secret: "backup", claim: "repository", hasCredentials: false };

/** Runs the container of a CronJob's pod on Docker, as hardened as there. */
async function dump(schedule: Schedule, files?: Readonly<Record<string, string>>): Promise<Ran> {
  const pod = dumpPod(schedule, { image: stack.image, repository: volume }, references);
  const scratch = Object.keys(pod.scratch ?? {}).flatMap((path) => ["--tmpfs", `${path}:mode=1777`]);
  return runContainer(pod, pod.containers[0], scratch, files);
}

/** Runs both containers of the drill's pod, which share its directories; the second one with other arguments if they are given. */
async function drill(files?: Readonly<Record<string, string>>): Promise<Ran> {
  const pod = drillPod({ image: stack.image, repository: volume, drill: drillTimes("UTC") }, references);
  const shared = await Promise.all(
    Object.keys(pod.scratch ?? {}).map(async (path) => {
      const name = `${stack.name}-drill${path.replaceAll("/", "-")}`;
      await tryDocker(["volume", "rm", name]);
      await docker(["volume", "create", "--label", stack.name, name]);
      await docker([
        ...["run", "--rm", "--user", "0", "--entrypoint", "chmod", "--volume", `${name}:${path}`],
        ...[stack.image, "1777", path],
      ]);
      return ["--volume", `${name}:${path}`];
    }),
  );
  const fetched = await runContainer(pod, pod.initContainers?.[0], shared.flat(), files);
  expect(fetched.code, fetched.stderr).toBe(0);
  return runContainer(pod, pod.containers[0], shared.flat(), files);
}

async function runContainer(
  pod: PodSpec,
  container: PodContainer | undefined,
  directories: readonly string[],
  files?: Readonly<Record<string, string>>,
): Promise<Ran> {
  const mounts = (container?.mounts ?? []).map(({ volume: name }) => name);
  const [entrypoint = ""] = container?.command ?? [];
  return tryDocker([
    ...["run", "--rm", "--label", stack.name, "--network", stack.network, "--user", `${pod.uid}:${pod.uid}`],
    ...[...HARDENING, ...directories],
    ...Object.entries(container?.environment ?? {}).flatMap(([key, value]) => ["--env", `${key}=${value as string}`]),
    ...["--volume", `${secrets(files)}:/run/secrets/exai:ro`],
    ...(mounts.includes("repository") ? ["--volume", `${repository()}:/repository`] : []),
    ...["--entrypoint", entrypoint, stack.image, ...(container?.args ?? []).map((argument) => argument as string)],
  ]);
}

/** Runs a shell in the image with the repository open. */
function inRepository(script: string): Promise<string> {
  return docker([
    ...["run", "--rm", "--label", stack.name, "--network", stack.network, "--user", "10999:10999"],
    ...["--volume", `${secrets()}:/run/secrets/exai:ro`, "--volume", `${repository()}:/repository`],
    ...[
      "--env",
      "RESTIC_REPOSITORY=/repository",
      "--env",
      "RESTIC_PASSWORD_FILE=/run/secrets/exai/repository-password",
    ],
    ...["--env", "HOME=/tmp", "--env", `PGPASSWORD=${stack.password}`, stack.image, "bash", "-euc", script],
  ]);
}

describe("an encrypted dump", () => {
  it("is stored, verified and recorded with the rows that it holds", async () => {
    const ran = await dump(daily);
    expect(ran.stderr).toContain("is stored");
    expect(ran.code).toBe(0);
    const [record] = await backupHistory(stack.url);
    expect(record).toMatchObject({ schedule: "daily", status: "completed", verification: "passed", expiredAt: null });
    const counts = await stack.sql(
      "select row_counts ->> 'auth.users', row_counts ->> 'public.conversations' from public.backup_history",
    );
    expect(counts).toBe("200|200\n");
    expect(ran.stdout + ran.stderr).not.toContain(stack.password);
  });

  it("adds only what changed when it runs again", async () => {
    // restic cuts where the content says, into pieces of 1 MiB on average and 8 MiB at most: fewer rows could be one piece.
    await stack.sql(
      "insert into public.production_metrics (metric_name, metric_type, metric_value) select md5(i::text), 'gauge', i from generate_series(1, 250000) as i",
    );
    expect((await dump(daily)).code).toBe(0);
    await stack.sql(
      "insert into public.production_metrics (metric_name, metric_type, metric_value) values ('last', 'gauge', 1)",
    );
    expect((await dump(hourly)).code).toBe(0);
    const [latest, before] = await backupHistory(stack.url);
    expect(latest?.sizeBytes).toBeGreaterThan(2_000_000);
    expect(before?.storedBytes).toBeGreaterThan(2_000_000);
    expect(latest?.storedBytes ?? Infinity).toBeLessThan((latest?.sizeBytes ?? 0) / 2);
  });

  it("is restored for real by a drill, proved and recorded", async () => {
    const ran = await drill();
    expect(ran.code, ran.stdout + ran.stderr).toBe(0);
    expect(ran.stdout + ran.stderr).not.toContain(stack.password);
    const result = drillResult(ran.stdout, "staging");
    expect(result).toMatchObject({ outcome: "passed", error: null, recorded: true });
    const names = ["load", "row-counts", "amcheck", "foreign-keys", "sequences", "dump"];
    expect(result.checks).toEqual(names.map((name) => expect.objectContaining({ name, status: "passed" }) as object));
    expect(result.checks.find(({ name }) => name === "row-counts")?.detail).toMatch(/^2\d{5} rows of [3-9]\d tables/);
    const recorded = await stack.sql(
      `select d.status, jsonb_array_length(d.checks), d.rpo_seconds < 600, s.name from public.restore_drills as d
       join public.drill_schedules as s on s.id = d.schedule_id`,
    );
    expect(recorded).toBe("passed|6|t|monthly-drill\n");
  });

  it("fails a drill whose repository has another password, and the failure is recorded", async () => {
    const ran = await drill({ "repository-password": "another password" });
    expect(ran.code).toBe(1);
    expect(drillResult(ran.stdout, "staging")).toMatchObject({
      ...{ outcome: "failed", recorded: true, proofSeconds: null },
      error: expect.stringContaining("wrong password") as string,
    });
    expect(
      await stack.sql(
        "select count(*) from public.restore_drills where status = 'failed' and error ~ 'wrong password'",
      ),
    ).toBe("1\n");
  });

  it("keeps what its retention says, and marks the rest as expired in the history", async () => {
    // restic takes the age from the snapshot itself, so an old one is made by hand.
    const made = await inRepository(
      "echo x >/tmp/x; restic backup --json --host exai --tag schedule=hourly --time '2020-01-01 00:00:00' /tmp/x | tail -1",
    );
    const label = /"snapshot_id":"([0-9a-f]{8})/.exec(made)?.[1] ?? "";
    expect(label).toHaveLength(8);
    await stack.sql(
      `insert into public.backup_history (schedule_id, kind, status, started_at, finished_at, label, size_bytes, metadata)
       select id, kind, 'completed', '2020-01-01', '2020-01-01', '${label}', 1, '{"tool": "restic"}' from public.backup_schedules where name = 'hourly'`,
    );
    expect((await dump(hourly)).code).toBe(0);
    expect(await inRepository("restic snapshots --json")).not.toContain(label);
    const expired = (await backupHistory(stack.url)).filter((record) => record.expiredAt !== null);
    expect(expired.map((record) => record.label)).toEqual([label]);
  });

  it("fails, and is recorded as failed, if the repository has another password", async () => {
    const ran = await dump(daily, { "repository-password": "another password" });
    expect(ran.code).toBe(1);
    const [latest] = await backupHistory(stack.url);
    expect(latest).toMatchObject({ status: "failed", schedule: "daily" });
  });

  it("fails if the database cannot be reached, and is refused without a URL", async () => {
    const away = await dump(daily, { "database-url": "postgres://postgres:secret-word@postgres:1/postgres" });
    expect(away.code).toBe(1);
    expect(away.stderr).toContain("cannot be reached");
    expect(away.stderr).not.toContain("secret-word");
    const none = await dump(daily, { "database-url": "http://example.com" });
    expect(none.code).toBe(2);
    expect(none.stderr).toContain("no postgres:// URL");
  });
});
