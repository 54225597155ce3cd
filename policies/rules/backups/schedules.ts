import type { Gap } from "../../../contract/cron/gaps.ts";
import { judgeAt, placeOf, subjectOf, type StackRule } from "../../model/rule.ts";
import { all, any } from "../../model/truth.ts";
import { isSchedule } from "../../reading/backups/declared.ts";
import { declaredGap, engineOf, firesWithin } from "../../reading/backups/cron.ts";

/** The schedules that every stack needs: their kinds, and the longest time between two backups, in minutes. */
const REQUIRED = [
  { name: "full", kinds: ["full"], minutes: 1440, period: "day" },
  { name: "incremental", kinds: ["incremental"], minutes: 60, period: "hour" },
  { name: "weekly", kinds: ["differential", "weekly"], minutes: 7 * 1440, period: "week" },
] as const;

/** Backups of each kind are frequent enough. */
export const schedules: StackRule = {
  name: "backup-schedules",
  title: "A full backup runs daily, an incremental one hourly and a long-lived one weekly",
  level: "mandatory",
  scope: "stack",
  onUnknown: "fail",
  documentation:
    "The stack declares schedules of the kinds `full`, `incremental` and `differential` (the weekly one). A schedule counts for its kind if it is enabled and the longest time between two of its firings in 400 days is at most one day, one hour or one week. It is computed as the engine that runs the schedule does: in the dialect of a CronJob or of the queue of the migrations, and by the wall clock of the time zone. A CronJob does not run at a time that the spring change of the clock skips.",
  references: [
    { standard: "Requirement", item: "daily full 02:00, hourly incremental, weekly Sunday 03:00" },
    { standard: "NIST SP 800-53", item: "CP-9" },
  ],
  *check(context) {
    const engine = engineOf(context.environment);
    const subjects = context.graph.resources.filter(isSchedule).map(subjectOf);
    for (const { name, kinds, minutes, period } of REQUIRED) {
      const answers = subjects.map((subject) => {
        const enabled = subject.inputs.at("enabled").isAbsentOr(true);
        return all(subject.inputs.at("kind").is(...kinds), enabled, firesWithin(subject.inputs, minutes, engine));
      });
      const named = subjects.find((subject) => subject.inputs.at("kind").is(...kinds) === true);
      const place = named === undefined ? { object: "backups", path: "" } : placeOf(named, "schedule");
      const found = named === undefined ? "there is none" : `its schedule is ${named.inputs.at("schedule").shown}`;
      const why = named === undefined ? "" : reason(declaredGap(named.inputs, engine));
      yield judgeAt(
        place,
        any(...answers),
        `no ${name} backup runs at least once a ${period}: ${found}${why}`,
        why.includes("clock")
          ? "set exai:backupTimeZone to UTC, or to a zone whose clock does not skip the time of the schedule"
          : `declare a BackupSchedule of kind ${kinds[0]} that does`,
      );
    }
  },
};

/** Why a schedule does not fire often enough, for the end of a message. */
function reason(gap: Gap | Error | undefined): string {
  if (gap === undefined) return "";
  if (gap instanceof Error) return `, and ${gap.message}`;
  if (gap.minutes === Infinity) return ", which never comes twice in 400 days";
  const from = new Date(gap.from).toISOString().slice(0, 16).replace("T", " ");
  const hours = `${Math.round(gap.minutes / 6) / 10} h pass from ${from} UTC`;
  return gap.clockChange > 0 ? `; ${hours}, because the change of the clock skips a run` : `; ${hours}`;
}
