import { randomBytes } from "node:crypto";
import { RESTORE_DRILL } from "../../contract/backups.ts";
import { UserError } from "../../contract/errors.ts";
import type { Operation, StepEvent } from "../../contract/events.ts";
import { command, fix } from "../../contract/fix.ts";
import { Interrupted } from "../../contract/interrupted.ts";
import type { BackupRecord } from "../backups/history.ts";
import { RECORD_QUERY } from "../backups/history.ts";
import type { ManualKind } from "../backups/kinds.ts";
import type { BackupResult } from "../backups/request.ts";
import { readReport, type BackupVerification } from "../backups/verify.ts";
import type { DrillResult } from "../restore/drill.ts";
import { DumpJob, type DumpPlace, type JobRequest, type Output } from "./job.ts";
import { lastLines, Report } from "./report.ts";
import { historyOf, listedBackups, snapshotsOf, type Snapshot } from "./snapshots.ts";

/** The CronJob of a kind of backup. Each dump has everything: the kinds differ in how long they are kept and how much is verified. */
const CRON_JOBS: Readonly<Record<ManualKind, string>> = {
  full: "backup-daily",
  incremental: "backup-hourly",
  differential: "backup-weekly",
  weekly: "backup-weekly",
};

type Step = Pick<StepEvent, "type" | "id" | "title">;

/** What the repository has, and what the history has if the database answers. */
export interface DumpList {
  readonly snapshots: readonly Snapshot[];
  /** Newest first. */
  readonly backups: readonly BackupRecord[];
  /** Why the history could not be read; absent if it could. */
  readonly unreachable?: string;
}

/** Lists the dumps of the repository, and what the history says about each. */
export async function* listDumps(place: DumpPlace, signal?: AbortSignal): Operation<DumpList> {
  const step = { type: "step", id: "list", title: "read the repository and the history" } as const;
  const query = `select coalesce(json_agg(r), '[]') from (${RECORD_QUERY} order by h.requested_at desc limit 200) as r`;
  const request = {
    cronJob: CRON_JOBS.full,
    containers: { dump: { command: ["exai-dumps"], args: ["list", query.replaceAll(/\s+/g, " ")] } },
  };
  const { code, text } = yield* runJob(place, "list", "dump", step, request, signal);
  const report = new Report(text);
  const found = report.value("snapshots");
  if (code !== 0 || found === undefined)
    throw new UserError(
      "unavailable",
      "repository of the dumps",
      `cannot be read: ${lastLines(text, 1)}`,
      fix`${command(`backup verify ${place.stack}`)}`,
    );
  const snapshots = snapshotsOf(found);
  const unreachable = report.value("unreachable");
  const history = historyOf(report.value("history") ?? "[]");
  return {
    snapshots,
    backups: listedBackups(snapshots, history),
    ...(unreachable === undefined ? {} : { unreachable }),
  };
}

/** Makes a dump now, and verifies it. */
export async function* dumpNow(place: DumpPlace, kind: ManualKind, signal?: AbortSignal): Operation<BackupResult> {
  const step = { type: "step", id: "backup", title: `${kind} backup` } as const;
  const requestedAt = new Date();
  const request = { cronJob: CRON_JOBS[kind], containers: { dump: { environment: { BACKUP_TRIGGER: "manual" } } } };
  const { code, text, seconds } = yield* runJob(place, "now", "dump", step, request, signal);
  const report = new Report(text);
  const done = code === 0;
  const label = report.value("snapshot") ?? null;
  const backup: BackupRecord = {
    id: report.value("history") ?? label ?? "",
    ...{
      schedule: CRON_JOBS[kind].slice("backup-".length),
      kind,
      trigger: "manual",
      requestedAt,
      startedAt: requestedAt,
    },
    ...{ status: done ? "completed" : "failed", finishedAt: new Date(), label, expiredAt: null },
    ...{ sizeBytes: report.number("bytes"), storedBytes: report.number("added") },
    ...{ error: done ? null : lastLines(text), verification: done ? "passed" : null },
  };
  return { outcome: done ? "completed" : "failed", backup, seconds, stack: place.stack };
}

/** Compares history, repository and its data, and restores the newest dump as a sample. */
export async function* verifyDumps(place: DumpPlace, signal?: AbortSignal): Operation<BackupVerification> {
  const step = { type: "step", id: "verify", title: "verify the repository, and restore a sample" } as const;
  const request = {
    cronJob: RESTORE_DRILL,
    containers: { fetch: { args: ["check"] }, scratch: { args: ["sample"] } },
  };
  const { text, seconds } = yield* runJob(place, "verify", "scratch", step, request, signal);
  const report = new Report(text);
  const label = report.value("snapshot");
  if (report.value("end") === undefined)
    throw new UserError(
      "unavailable",
      "repository of the dumps",
      `cannot be verified: ${lastLines(text)}`,
      fix`${command(`backup list ${place.stack}`)}`,
    );
  const { findings } = readReport(report.all("finding").join("\n"));
  const restored = (report.number("fetch") ?? 0) + (report.number("load") ?? 0);
  return {
    outcome: findings.length === 0 ? "sound" : "damaged",
    findings,
    ...(label === undefined || report.number("load") === null ? {} : { sample: { label, seconds: restored } }),
    recorded: report.value("recorded") === "yes",
    seconds,
    stack: place.stack,
  };
}

/** Restores the newest dump for real, as the scheduled drill does, and records the result. */
export async function* drillDumps(place: DumpPlace, signal?: AbortSignal): Operation<DrillResult> {
  const step = { type: "step", id: "drill", title: "restore for real, and prove the data" } as const;
  const request = { cronJob: RESTORE_DRILL, containers: { scratch: { environment: { DRILL_TRIGGER: "manual" } } } };
  const { text } = yield* runJob(place, "drill", "scratch", step, request, signal);
  return drillResult(text, place.stack);
}

/** Reads what the drill has written; pure. One without a proof has failed. */
export function drillResult(text: string, stack: string): DrillResult {
  const report = new Report(text);
  const failed = report.checks
    .filter(({ status }) => status === "failed")
    .map(({ name, detail }) => `${name}: ${detail}`);
  const outcome = report.value("end") === "proved" ? "passed" : "failed";
  return {
    outcome,
    error: outcome === "passed" ? null : (report.value("error") ?? (failed.join("; ") || lastLines(text))),
    checks: report.checks,
    ...{ fetchSeconds: report.number("fetch"), replaySeconds: report.number("load") },
    proofSeconds: report.number("proof"),
    // Only an archive of the WAL can be asked which acknowledged rows it has.
    ...{ acknowledgedRows: null, restoredRows: null },
    rpoSeconds: report.number("rpo"),
    recorded: report.value("recorded") === "yes",
    stack,
  };
}

/** Runs a Job to its end, and removes it. */
async function* runJob(
  place: DumpPlace,
  verb: string,
  container: string,
  step: Step,
  request: Omit<JobRequest, "name">,
  signal: AbortSignal | undefined,
): Operation<Output & { readonly seconds: number }> {
  const started = performance.now();
  const seconds = () => (performance.now() - started) / 1000;
  yield { ...step, status: "started" };
  const job = await DumpJob.start(place, { ...request, name: `${verb}-${randomBytes(4).toString("hex")}` });
  try {
    const output = yield* job.output(container, step, { signal });
    yield { ...step, status: output.code === 0 ? "done" : "failed", seconds: seconds() };
    return { ...output, seconds: seconds() };
  } catch (error) {
    if (signal?.aborted !== true) throw error;
    throw new Interrupted(
      `Job ${job.name} was ended, and what it did is not complete`,
      fix`${command(`backup list ${place.stack}`)}`,
      {
        cause: error,
      },
    );
  } finally {
    await job.remove();
  }
}
