import { isSchedule } from "../../reading/declared-backups.ts";
import { longestGapMinutes, parseCron } from "../../reading/cron.ts";
import { judgeAt, placeOf, subjectOf, type StackRule } from "../../model/rule.ts";
import { any } from "../../model/truth.ts";
import { prometheusFiles } from "../../reading/prometheus.ts";

const SERIES = "exai_backup_last_success_timestamp_seconds";

/** A backup that stopped is missed before it is needed. */
export const backupAge: StackRule = {
  name: "slo-backup-age",
  title: "An alert watches the age of each schedule's last good backup",
  level: "mandatory",
  scope: "stack",
  onUnknown: "defer",
  documentation: `For each schedule an alert compares \`time() - ${SERIES}\` with at most twice the longest time between two of its firings, and another clause of an alert tells when nobody reports it (\`absent\`).`,
  references: [
    { standard: "Requirement", item: "backup-age alert" },
    { standard: "NIST SP 800-53", item: "CP-9(1)" },
  ],
  *check(context) {
    const { alerts, unread } = prometheusFiles(context);
    const watching = alerts.filter(({ expression }) => expression.includes(SERIES));
    const schedules = context.graph.resources.filter(isSchedule).map(subjectOf);
    if (schedules.length === 0)
      yield judgeAt({ object: "backups", path: "" }, false, "no schedule is declared", "declare the BackupSchedules");
    for (const schedule of schedules) {
      const name = schedule.inputs.at("name");
      const cron = parseCron(schedule.inputs.at("schedule").text ?? "");
      const most = cron === undefined ? 0 : 2 * 60 * longestGapMinutes(cron);
      const own = watching.filter(({ expression }) => about(expression, name.text));
      const old = own.some(({ expression }) => limits(expression).some((limit) => limit > 0 && limit <= most));
      const gone = own.some(({ expression }) => expression.includes(`absent(${SERIES}`));
      for (const [holds, message] of [
        [old, `no alert tells that its last good backup is older than ${most} s`],
        [gone, "no alert tells that nobody reports its backups"],
      ] as const)
        yield judgeAt(
          placeOf(schedule, "name"),
          any(holds, unread, name.state === "unknown" && name.isPresent),
          message,
          "add the schedule to what the monitoring component watches",
        );
    }
  },
};

/** Whether an expression is about a schedule: it names it, or none. */
function about(expression: string, schedule: string | undefined): boolean {
  const named = [...expression.matchAll(/schedule="([^"]*)"/g)].map(([, name]) => name);
  return named.length === 0 || (schedule !== undefined && named.includes(schedule));
}

/** The ages, in seconds, that an expression compares with. */
function limits(expression: string): number[] {
  return [...expression.matchAll(/time\(\)\s*-[^><]*>=?\s*(\d+(?:\.\d+)?)/g)].map(([, limit]) => Number(limit));
}
