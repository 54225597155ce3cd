import { judge, type ResourceRule } from "../../model/rule.ts";
import { isSchedule } from "../../reading/backups/declared.ts";

/** Backups are kept long enough, and not longer than allowed. */
export const retention: ResourceRule = {
  name: "backup-retention",
  title: "Backups are kept 7 to 90 days",
  level: "mandatory",
  scope: "resource",
  onUnknown: "fail",
  documentation:
    "Damage is often found only after days, and backups contain personal data, which must not be kept without a limit.",
  references: [{ standard: "Requirement", item: "retention 7-90 days" }],
  concerns: isSchedule,
  *check(subject) {
    const days = subject.inputs.at("retentionDays");
    yield judge(
      subject,
      days,
      days.within(7, 90),
      `backups are kept for ${days.shown} days`,
      "set retentionDays to a value from 7 to 90",
    );
  },
};
