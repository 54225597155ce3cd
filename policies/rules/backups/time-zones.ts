import { judge, type ResourceRule } from "../../model/rule.ts";
import { isSchedule } from "../../reading/declared-backups.ts";

/** Schedules say which clock they mean. */
export const timeZones: ResourceRule = {
  name: "backup-time-zones",
  title: "Backup schedules name an IANA time zone",
  level: "mandatory",
  scope: "resource",
  onUnknown: "fail",
  documentation: "02:00 without a zone is the clock of whichever machine runs it, and moves when that machine does.",
  references: [{ standard: "Requirement", item: "schedules with time zone" }],
  concerns: isSchedule,
  *check(subject) {
    const zone = subject.inputs.at("timeZone");
    yield judge(
      subject,
      zone,
      zone.test((value) => typeof value === "string" && isTimeZone(value)),
      `the time zone is ${zone.shown}`,
      'set timeZone, e.g. "UTC"',
    );
  },
};

function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat("en", { timeZone: name });
    // Offsets and abbreviations are accepted by the runtime, but change their meaning with the season.
    return name === "UTC" || name.includes("/");
  } catch {
    return false;
  }
}
