import { isSchedule } from "../../reading/backups/declared.ts";
import { declaredGap, engineOf } from "../../reading/backups/cron.ts";
import { judgeAt, placeOf, subjectOf, type StackRule } from "../../model/rule.ts";
import { any } from "../../model/truth.ts";
import { prometheusFiles } from "../../reading/prometheus.ts";

const SERIES = "exai_backup_last_success_timestamp_seconds";

/** Missing backups raise an alert. */
export const backupAge: StackRule = {
  name: "slo-backup-age",
  title: "An alert watches the age of the last successful backup of each schedule",
  level: "mandatory",
  scope: "stack",
  onUnknown: "defer",
  documentation: `For each schedule, an alert compares \`time() - ${SERIES}\` with at most twice the longest time between two of its firings, and an alert with \`absent\` fires if the metric is missing.`,
  references: [
    { standard: "Requirement", item: "backup-age alert" },
    { standard: "NIST SP 800-53", item: "CP-9(1)" },
  ],
  *check(context) {
    const { alerts, unread } = prometheusFiles(context);
    const watching = alerts.filter(({ expression }) => expression.includes(SERIES));
    const schedules = context.graph.resources.filter(isSchedule).map(subjectOf);
    if (schedules.length === 0)
      yield judgeAt(
        { object: "backups", path: "" },
        false,
        "no backup schedule is declared",
        "declare BackupSchedules",
      );
    for (const schedule of schedules) {
      const name = schedule.inputs.at("name");
      const gap = declaredGap(schedule.inputs, engineOf(context.environment));
      const most = gap === undefined || gap instanceof Error ? NaN : 2 * 60 * gap.minutes;
      const own = watching.filter(({ expression }) => about(expression, name.text));
      const old = own.some(({ expression }) => limits(expression).some((limit) => limit > 0 && limit <= most));
      const gone = own.some(({ expression }) => expression.includes(`absent(${SERIES}`));
      for (const [holds, message] of [
        [old, `no alert fires if the last successful backup is older than ${most} s`],
        [gone, "no alert fires if the metric of its backups is missing"],
      ] as const)
        yield judgeAt(
          placeOf(schedule, "name"),
          any(holds, unread, name.state === "unknown" && name.isPresent),
          message,
          "add the schedule to the schedules of the monitoring component",
        );
    }
  },
};

/** Whether an expression applies to a schedule: it names this schedule, or none. */
function about(expression: string, schedule: string | undefined): boolean {
  const named = [...expression.matchAll(/schedule="([^"]*)"/g)].map(([, name]) => name);
  return named.length === 0 || (schedule !== undefined && named.includes(schedule));
}

/** The ages, in seconds, that an expression compares with. */
function limits(expression: string): number[] {
  return [...expression.matchAll(/time\(\)\s*-[^><]*>=?\s*(\d+(?:\.\d+)?)/g)].map(([, limit]) => Number(limit));
}
