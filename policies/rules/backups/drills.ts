import { judgeAt, placeOf, subjectOf, type StackRule } from "../../model/rule.ts";
import { all, any } from "../../model/truth.ts";
import { longestGapMinutes, parseCron } from "../../reading/cron.ts";
import { isSchedule } from "../../reading/declared-backups.ts";

const MONTH_MINUTES = 31 * 1440;

/** A backup that nobody restored is a hope. */
export const drills: StackRule = {
  name: "backup-restore-drills",
  title: "A restore is rehearsed monthly, against a deadline under an hour",
  // What rehearses a restore is not part of the components yet; until then this tells, and blocks nothing.
  level: "advisory",
  scope: "stack",
  onUnknown: "fail",
  documentation:
    "A schedule of kind `drill` that fires at least every 31 days, with `deadlineMinutes` below 60. The time to recover is known from rehearsals alone. No component of this project declares one yet, so the rule is advisory and finds that in every stack.",
  references: [
    { standard: "Requirement", item: "RTO under one hour, restore drills" },
    { standard: "NIST SP 800-53", item: "CP-9(1), CP-10" },
  ],
  *check(context) {
    const found = context.graph.resources
      .filter(isSchedule)
      .map(subjectOf)
      .filter(({ inputs }) => inputs.at("kind").is("drill") !== false);
    const holds = any(
      ...found.map(({ inputs }) =>
        all(
          inputs.at("kind").is("drill"),
          inputs.at("enabled").isAbsentOr(true),
          inputs.at("deadlineMinutes").within(1, 59),
          inputs.at("schedule").test((value) => {
            const cron = typeof value === "string" ? parseCron(value) : undefined;
            return cron !== undefined && longestGapMinutes(cron) <= MONTH_MINUTES;
          }),
        ),
      ),
    );
    yield judgeAt(
      found[0] === undefined ? { object: "backups", path: "" } : placeOf(found[0], ""),
      holds,
      "no restore is rehearsed monthly against a deadline under an hour: how long a recovery takes is not known",
      "rehearse a restore by hand, and write down how long it took",
    );
  },
};
