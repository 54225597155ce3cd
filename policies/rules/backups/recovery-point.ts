import type { Resource } from "../../../contract/graph.ts";
import { judgeAt, placeOf, subjectOf, type StackRule } from "../../model/rule.ts";
import { all, any, type Truth } from "../../model/truth.ts";
import type { Reader } from "../../model/reader.ts";
import { longestGapMinutes, parseCron } from "../../reading/cron.ts";
import { isSchedule } from "../../reading/declared-backups.ts";

/** Most minutes of changes that a disaster may take. */
const RPO_MINUTES = 15;

/** The wanted recovery point is within reach of what is declared. */
export const recoveryPoint: StackRule = {
  name: "backup-recovery-point",
  title: "A disaster takes less than 15 minutes of changes",
  level: "mandatory",
  // A branch of a project has no point-in-time recovery of its own.
  levelIn: { staging: "advisory" },
  scope: "stack",
  onUnknown: "fail",
  documentation:
    "Backups every hour lose up to an hour. So each database component declares `walArchiving: true` (the log is archived continuously) or `pointInTimeRecovery: true` (the provider keeps it, `exai:supabasePitr`), or a schedule fires at least every 14 minutes. A declaration alone proves nothing: where this project archives the log, its alert on the archive's age does; Supabase's add-on is seen in its dashboard.",
  references: [
    { standard: "Requirement", item: "RPO under 15 minutes" },
    { standard: "NIST SP 800-34", item: "3.2.1" },
  ],
  *check(context) {
    const schedules = context.graph.resources.filter(isSchedule).map(subjectOf);
    const often = any(
      ...schedules.map(({ inputs }) => all(inputs.at("enabled").isAbsentOr(true), firesWithin(inputs.at("schedule")))),
    );
    const databases = context.graph.resources.filter(isDatabase).map(subjectOf);
    if (databases.length === 0)
      yield judgeAt(
        { object: "database", path: "" },
        often,
        "no database declares how its recovery point is kept",
        "make the database by a component of exai:database",
      );
    for (const database of databases) {
      const { inputs } = database;
      yield judgeAt(
        placeOf(database, ""),
        any(inputs.at("walArchiving").is(true), inputs.at("pointInTimeRecovery").is(true), often),
        `no log is kept and no backup runs every ${RPO_MINUTES - 1} minutes: up to an hour of changes can be lost`,
        "archive the log, or switch on Supabase's point-in-time recovery and set exai:supabasePitr to true",
      );
    }
  },
};

function isDatabase(resource: Resource): boolean {
  return resource.type.startsWith("exai:database:");
}

function firesWithin(schedule: Reader): Truth {
  return schedule.test((value) => {
    const cron = typeof value === "string" ? parseCron(value) : undefined;
    return cron !== undefined && longestGapMinutes(cron) < RPO_MINUTES;
  });
}
