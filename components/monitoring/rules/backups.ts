import { BACKUP_METRICS, JOBS } from "../../../contract/monitoring.ts";
import { duration } from "../promql.ts";
import type { RulesArgs, WatchedBackup } from "./args.ts";
import { drillAlerts, repositoryDamaged } from "./drills.ts";
import { backupSeries } from "./healthy.ts";
import type { Alert, RuleGroup } from "./rule.ts";
import { beginning, current, steady, turning } from "./samples.ts";

/** The backups. An age alone falls silent when its metric vanishes, so: stale, or absent, or never. */
export function backupAlerts(args: RulesArgs): RuleGroup {
  return {
    name: "exai-backups",
    rules: [
      ...args.backups.map(backupStale),
      ...args.backups.slice(0, 1).map(backupFailed),
      ...(args.drills === undefined ? [] : [repositoryDamaged(), ...drillAlerts(args.drills)]),
      ...(args.walArchive === undefined ? [] : [walArchiveStale(args.walArchive.maxAgeSeconds)]),
    ],
  };
}

function backupStale(backup: WatchedBackup): Alert {
  const { schedule, kind, maxAgeSeconds } = backup;
  const metric = BACKUP_METRICS.lastSuccess;
  const series = `${metric}{schedule="${schedule}",kind="${kind}"}`;
  const own = backupSeries(metric, schedule, kind);
  const labels = { schedule, kind };
  // A case of eight days evaluated every 15 s would take minutes.
  const stepSeconds = Math.max(60, Math.ceil(maxAgeSeconds / 100));
  const late = { stepSeconds, atSeconds: maxAgeSeconds + Math.max(2000, 3 * stepSeconds) };
  const young = { stepSeconds: 60, atSeconds: 1200 };
  return {
    alert: "BackupStale",
    severity: "critical",
    symptom: "backup",
    labels,
    expr:
      `time() - max by (schedule, kind) (${series}) > ${maxAgeSeconds}` +
      ` or max by (schedule, kind) (${series}) == 0` +
      ` or absent(${series})`,
    for: "15m",
    summary: `No ${schedule} backup (${kind}) within ${duration(maxAgeSeconds)}`,
    description:
      `The last good ${schedule} backup (${kind}) is older than ${duration(maxAgeSeconds)}, there was never one,` +
      " or no series reports it.",
    runbook: "backup-stale",
    cases: [
      { name: `fires: ${schedule} is stale`, ...late, series: { [own]: steady(1) }, fires: [{ labels }] },
      {
        name: `fires: ${schedule} is absent`,
        ...young,
        without: [new RegExp(`^${metric}.*schedule="${schedule}"`, "u")],
        fires: [{ labels }],
      },
      { name: `fires: ${schedule} never ran`, ...young, series: { [own]: steady(0) }, fires: [{ labels }] },
      { name: "quiet: healthy", ...late, fires: [] },
      {
        name: `quiet: ${schedule} was late and then ran`,
        ...late,
        series: { [own]: (steps, step) => turning(Math.floor(steps / 2), 1, maxAgeSeconds)(steps, step) },
        fires: [],
      },
    ],
  };
}

/** Hours that a failed run is reported. */
const REPORTED_HOURS = 2;

function backupFailed(first: WatchedBackup): Alert {
  const metric = BACKUP_METRICS.failures;
  const own = backupSeries(metric, first.schedule, first.kind);
  const other = own.replace("postgres-exporter:9187", "10.0.0.9:9187");
  const threeHours = { stepSeconds: 60, atSeconds: 3 * 3600 };
  const labels = { schedule: first.schedule, kind: first.kind };
  const count = (series: string) => `max by (schedule, kind) (${series})`;
  const before = (window: string) => count(`last_over_time(${metric}[${window}] offset ${REPORTED_HOURS}h)`);
  return {
    alert: "BackupFailed",
    severity: "warning",
    symptom: "backup",
    // The count comes from a table that is pruned: a plain difference takes a smaller count for no failure, where
    // increase() would take it for a restarted counter. The exporter's labels are left out, because another pod goes on
    // with the same count. The count before is that of two hours ago, or the last one of the day before that, if
    // nothing was scraped then; a count that is new was 0.
    expr: `${count(metric)} - (${before("5m")} or ${before("1d")} or ${count(metric)} * 0) > 0`,
    summary: "A {{ $labels.schedule }} backup ({{ $labels.kind }}) failed",
    description: `{{ $value }} run(s) of the {{ $labels.schedule }} backup failed within the last ${REPORTED_HOURS} hours.`,
    runbook: "backup-failed",
    cases: [
      { name: "fires", series: { [own]: turning(100, 3, 5) }, ...threeHours, fires: [{ labels, value: "2" }] },
      {
        name: "fires: the series begins with the first failure",
        series: { [own]: beginning(150, 1) },
        ...threeHours,
        fires: [{ labels, value: "1" }],
      },
      {
        name: "fires: the exporter moves while a backup fails",
        series: { [own]: (steps) => `3+0x100 stale _x${steps - 101}`, [other]: beginning(105, 4) },
        ...threeHours,
        fires: [{ labels, value: "1" }],
      },
      {
        name: "quiet: the exporter moved, and no backup failed",
        series: { [own]: (steps) => `3+0x58 stale _x${steps - 59}`, [other]: beginning(63, 3) },
        ...threeHours,
        fires: [],
      },
      { name: "quiet: healthy", ...threeHours, fires: [] },
      { name: "quiet: old failures were pruned", series: { [own]: turning(100, 3, 1) }, ...threeHours, fires: [] },
      {
        name: "quiet here: metric gone (BackupStale says so)",
        without: [new RegExp(`^${metric}`, "u")],
        ...threeHours,
        fires: [],
      },
    ],
  };
}

function walArchiveStale(maxAgeSeconds: number): Alert {
  const metric = BACKUP_METRICS.walLastArchived;
  const own = `${metric}{job="${JOBS.postgres}",instance="postgres-exporter:9187"}`;
  return {
    alert: "WalArchiveStale",
    severity: "critical",
    symptom: "backup",
    expr: `time() - max(${metric}) > ${maxAgeSeconds} or max(${metric}) == 0 or absent(${metric})`,
    for: "5m",
    summary: "The WAL archive is stale: the recovery point grows older",
    description: `No WAL segment reached the archive within ${duration(maxAgeSeconds)}, or no series reports it.`,
    runbook: "wal-archive-stale",
    cases: [
      { name: "fires: stale", series: { [own]: steady(1) }, atSeconds: maxAgeSeconds + 900, fires: [{}] },
      { name: "fires: metric gone", without: [new RegExp(`^${metric}`, "u")], fires: [{}] },
      { name: "fires: never", series: { [own]: steady(0) }, fires: [{}] },
      { name: "quiet: keeps up", series: { [own]: current() }, atSeconds: maxAgeSeconds + 900, fires: [] },
    ],
  };
}
