import { judgeAt, placeOf, subjectOf, type StackRule } from "../../model/rule.ts";
import { all, any } from "../../model/truth.ts";
import { engineOf, firesWithin } from "../../reading/backups/cron.ts";
import { isSchedule } from "../../reading/backups/declared.ts";

const MONTH_MINUTES = 31 * 1440;

/** Restores are rehearsed. */
export const drills: StackRule = {
  name: "backup-restore-drills",
  title: "A restore is rehearsed monthly, with a deadline under one hour",
  level: "mandatory",
  scope: "stack",
  onUnknown: "fail",
  documentation:
    "A schedule of kind `drill` that fires at least every 31 days, with `deadlineMinutes` below 60. Only rehearsals show how long a recovery takes.",
  references: [
    { standard: "Requirement", item: "RTO under one hour, restore drills" },
    { standard: "NIST SP 800-53", item: "CP-9(1), CP-10" },
  ],
  *check(context) {
    const found = context.graph.resources
      .filter((resource) => isSchedule(resource) || resource.type === "exai:backups:DrillSchedule")
      .map(subjectOf)
      .filter(({ inputs }) => inputs.at("kind").is("drill") !== false);
    const holds = any(
      ...found.map(({ inputs }) =>
        all(
          inputs.at("kind").is("drill"),
          inputs.at("enabled").isAbsentOr(true),
          inputs.at("deadlineMinutes").within(1, 59),
          firesWithin(inputs, MONTH_MINUTES, engineOf(context.environment)),
        ),
      ),
    );
    yield judgeAt(
      found[0] === undefined ? { object: "backups", path: "" } : placeOf(found[0], ""),
      holds,
      "no monthly restore drill with a deadline under one hour is declared, so the recovery time is unknown",
      "declare a DrillSchedule, or rehearse a restore by hand and record how long it takes",
    );
  },
};
