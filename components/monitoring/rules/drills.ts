import { BACKUP_METRICS } from "../../../contract/monitoring.ts";
import { duration } from "../promql.ts";
import type { RulesArgs } from "./args.ts";
import { databaseSeries, DRILL_LABEL } from "./healthy.ts";
import type { Alert } from "./rule.ts";
import { steady } from "./samples.ts";

/** Objectives of a recovery, in seconds. */
export const OBJECTIVES = { rto: 3600, rpo: 900 } as const;

/** A monthly drill, and a week for the next run. */
export const DRILL_MAX_AGE_SECONDS = 38 * 86_400;

/** A verification found damage: that of a backup, of the archive or of the whole repository. */
export function repositoryDamaged(): Alert {
  const metric = BACKUP_METRICS.damaged;
  return {
    alert: "RepositoryDamaged",
    severity: "critical",
    symptom: "backup",
    expr: `max(${metric}) > 0 or absent(${metric})`,
    for: "5m",
    summary: "The repository of the backups is damaged",
    description: "The last verification of a backup failed, or no series reports it.",
    runbook: "repository-damaged",
    cases: [
      { name: "fires: damaged", series: { [databaseSeries(metric)]: steady(2) }, fires: [{}] },
      { name: "fires: metric gone", without: [new RegExp(`^${metric}`, "u")], fires: [{}] },
      { name: "quiet: healthy", fires: [] },
    ],
  };
}

/** The restore drills: their age, and what the last one measured. */
export function drillAlerts({
  maxAgeSeconds,
  recoveryPointSeconds: rpo = OBJECTIVES.rpo,
}: NonNullable<RulesArgs["drills"]>): readonly Alert[] {
  const age = BACKUP_METRICS.lastDrill;
  const late = { stepSeconds: 36_000, atSeconds: maxAgeSeconds + 200_000 };
  const stale: Alert = {
    alert: "RestoreDrillStale",
    severity: "warning",
    symptom: "backup",
    expr: `time() - max(${age}) > ${maxAgeSeconds} or max(${age}) == 0 or absent(${age})`,
    for: "15m",
    summary: `No restore drill has passed within ${duration(maxAgeSeconds)}`,
    description: "Drills fail, do not run, or no series reports them: whether a restore works is not known.",
    runbook: "restore-drill",
    cases: [
      { name: "fires: stale", ...late, series: { [databaseSeries(age, DRILL_LABEL)]: steady(1) }, fires: [{}] },
      { name: "fires: metric gone", without: [new RegExp(`^${age}`, "u")], atSeconds: 1800, fires: [{}] },
      { name: "quiet: healthy", ...late, fires: [] },
    ],
  };
  return [
    stale,
    objective("RestoreTooSlow", BACKUP_METRICS.drillRto, OBJECTIVES.rto, "The last restore drill took an hour or more"),
    objective("RestoreLosesRows", BACKUP_METRICS.drillRpo, rpo, `The last restore drill lost ${duration(rpo)} or more`),
  ];
}

/** RestoreDrillStale covers the metric's absence. */
function objective(alert: string, metric: string, limit: number, summary: string): Alert {
  const own = databaseSeries(metric, DRILL_LABEL);
  return {
    alert,
    severity: "warning",
    symptom: "backup",
    expr: `max(${metric}) >= ${limit}`,
    for: "5m",
    summary,
    description: `The last drill measured {{ $value }} s; the objective is below ${duration(limit)}.`,
    runbook: "restore-drill",
    cases: [
      { name: "fires: at the limit", series: { [own]: steady(limit) }, fires: [{ value: String(limit) }] },
      { name: "quiet: below the limit", series: { [own]: steady(limit - 1) }, fires: [] },
      { name: "quiet here: metric gone (RestoreDrillStale)", without: [new RegExp(`^${metric}`, "u")], fires: [] },
    ],
  };
}
