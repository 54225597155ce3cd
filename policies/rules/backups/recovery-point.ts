import type { Resource } from "../../../contract/graph.ts";
import { judgeAt, placeOf, subjectOf, type StackRule } from "../../model/rule.ts";
import { all, any } from "../../model/truth.ts";
import { engineOf, firesWithin } from "../../reading/backups/cron.ts";
import { isSchedule } from "../../reading/backups/declared.ts";

/** Minutes of changes that may be lost in a disaster. */
const RPO_MINUTES = 15;

/** What is declared achieves the required recovery point. */
export const recoveryPoint: StackRule = {
  name: "backup-recovery-point",
  title: "At most 15 minutes of changes are lost in a disaster",
  level: "mandatory",
  // A branch of a project does not have point-in-time recovery.
  levelIn: { staging: "advisory" },
  scope: "stack",
  onUnknown: "fail",
  documentation:
    "With hourly backups, up to one hour of changes is lost. Each database component therefore declares `walArchiving: true` (the write-ahead log is archived continuously) or `pointInTimeRecovery: true` (the provider keeps the log, `exai:supabasePitr`), or a schedule fires at least every 14 minutes. A declaration is not a proof: if this project archives the log, an alert watches the age of the archive; Supabase's add-on is visible in its dashboard.",
  references: [
    { standard: "Requirement", item: "RPO under 15 minutes" },
    { standard: "NIST SP 800-34", item: "3.2.1" },
  ],
  *check(context) {
    const schedules = context.graph.resources.filter(isSchedule).map(subjectOf);
    const often = any(
      ...schedules.map(({ inputs }) =>
        all(inputs.at("enabled").isAbsentOr(true), firesWithin(inputs, RPO_MINUTES - 1, engineOf(context.environment))),
      ),
    );
    const databases = context.graph.resources.filter(isDatabase).map(subjectOf);
    if (databases.length === 0)
      yield judgeAt(
        { object: "database", path: "" },
        often,
        "no database component declares its recovery point",
        "create the database with a component of exai:database",
      );
    for (const database of databases) {
      const { inputs } = database;
      yield judgeAt(
        placeOf(database, ""),
        any(inputs.at("walArchiving").is(true), inputs.at("pointInTimeRecovery").is(true), often),
        `the write-ahead log is not archived and no backup runs every ${RPO_MINUTES - 1} minutes: up to one hour of changes can be lost`,
        "archive the write-ahead log, or enable Supabase's point-in-time recovery and set exai:supabasePitr to true",
      );
    }
  },
};

function isDatabase(resource: Resource): boolean {
  return resource.type.startsWith("exai:database:");
}
