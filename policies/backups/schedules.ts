import type { Reader } from "../model/reader.ts";
import { judgeAt, subjectOf, type StackRule } from "../model/rule.ts";
import { all, any, type Truth } from "../model/truth.ts";
import { isSchedule } from "./declared.ts";
import { longestGapMinutes, parseCron } from "./cron.ts";

/** The kinds that every stack has, with the longest time between two of them in minutes. */
const KINDS = { full: 1440, incremental: 60, weekly: 7 * 1440 } as const;

/** Every backup is on time. */
export const schedules: StackRule = {
  name: "backup-schedules",
  title: "A full backup runs daily, an incremental one hourly and a long-lived one weekly",
  level: "mandatory",
  scope: "stack",
  onUnknown: "fail",
  documentation:
    "The stack declares schedules of the kinds `full`, `incremental` and `weekly`. A schedule counts for its kind when the longest time between two of its firings in 400 days is at most a day, an hour or a week, and it is enabled.",
  references: [
    { standard: "Requirement", item: "daily full 02:00, hourly incremental, weekly Sunday 03:00" },
    { standard: "NIST SP 800-53", item: "CP-9" },
  ],
  *check(scene) {
    const subjects = scene.graph.resources.filter(isSchedule).map(subjectOf);
    for (const [kind, minutes] of Object.entries(KINDS)) {
      const answers = subjects.map((subject) => {
        const enabled = subject.inputs.at("enabled").isAbsentOr(true);
        return all(subject.inputs.at("kind").is(kind), enabled, firesEvery(subject.inputs.at("schedule"), minutes));
      });
      const named = subjects.find((subject) => subject.inputs.at("kind").text === kind);
      const place =
        named === undefined
          ? { object: "backups", path: "" }
          : {
              resource: named.resource,
              path: "schedule",
              ...(named.resource.source === undefined ? {} : { source: named.resource.source }),
            };
      const found = named === undefined ? "there is none" : `its schedule is ${named.inputs.at("schedule").shown}`;
      yield judgeAt(
        place,
        any(...answers),
        `no ${kind} backup runs at least every ${hours(minutes)}: ${found}`,
        `declare a BackupSchedule of kind ${kind} that does`,
      );
    }
  },
};

function firesEvery(schedule: Reader, minutes: number): Truth {
  return schedule.test((value) => {
    const cron = typeof value === "string" ? parseCron(value) : undefined;
    return cron !== undefined && longestGapMinutes(cron) <= minutes;
  });
}

function hours(minutes: number): string {
  return minutes === 60 ? "hour" : minutes === 1440 ? "day" : "week";
}
