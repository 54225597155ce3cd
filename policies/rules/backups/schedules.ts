import { judgeAt, placeOf, subjectOf, type StackRule } from "../../model/rule.ts";
import { all, any } from "../../model/truth.ts";
import { isSchedule } from "../../reading/declared-backups.ts";
import { firesWithin } from "../../reading/cron.ts";

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
    "The stack declares schedules of the kinds `full`, `incremental` and `differential` (the weekly one). A schedule counts for its kind if it is enabled and the longest time between two of its firings in 400 days is at most one day, one hour or one week.",
  references: [
    { standard: "Requirement", item: "daily full 02:00, hourly incremental, weekly Sunday 03:00" },
    { standard: "NIST SP 800-53", item: "CP-9" },
  ],
  *check(context) {
    const subjects = context.graph.resources.filter(isSchedule).map(subjectOf);
    for (const { name, kinds, minutes, period } of REQUIRED) {
      const answers = subjects.map((subject) => {
        const enabled = subject.inputs.at("enabled").isAbsentOr(true);
        return all(
          subject.inputs.at("kind").is(...kinds),
          enabled,
          firesWithin(subject.inputs.at("schedule"), minutes),
        );
      });
      const named = subjects.find((subject) => subject.inputs.at("kind").is(...kinds) === true);
      const place = named === undefined ? { object: "backups", path: "" } : placeOf(named, "schedule");
      const found = named === undefined ? "there is none" : `its schedule is ${named.inputs.at("schedule").shown}`;
      yield judgeAt(
        place,
        any(...answers),
        `no ${name} backup runs at least once a ${period}: ${found}`,
        `declare a BackupSchedule of kind ${kinds[0]} that does`,
      );
    }
  },
};
