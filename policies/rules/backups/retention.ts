import { judge, type ResourceRule } from "../../model/rule.ts";
import { isSchedule } from "../../reading/declared-backups.ts";

/** Backups are kept long enough, and not for ever. */
export const retention: ResourceRule = {
  name: "backup-retention",
  title: "Backups are kept 7 to 90 days",
  level: "mandatory",
  scope: "resource",
  onUnknown: "fail",
  documentation: "Damage is often found after days; and what is kept for ever is personal data kept for ever.",
  references: [{ standard: "Requirement", item: "retention 7-90 days" }],
  concerns: isSchedule,
  *check(subject) {
    const days = subject.inputs.at("retentionDays");
    yield judge(
      subject,
      days,
      days.within(7, 90),
      `backups are kept ${days.shown} days`,
      "set retentionDays to 7 to 90",
    );
  },
};
