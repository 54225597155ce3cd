import { judge, type ResourceRule } from "../../model/rule.ts";
import { isTimeZone } from "../../../contract/cron/zones.ts";
import { isSchedule } from "../../reading/backups/declared.ts";

/** Schedules have a time zone. */
export const timeZones: ResourceRule = {
  name: "backup-time-zones",
  title: "Backup schedules name an IANA time zone",
  level: "mandatory",
  scope: "resource",
  onUnknown: "fail",
  documentation:
    "Without a time zone, 02:00 is the local time of the machine that runs the backup, and changes when another machine runs it. Names are compared as the engines do, by their exact spelling. Abbreviations and offsets do not count: they ignore daylight-saving time.",
  references: [{ standard: "Requirement", item: "schedules with time zone" }],
  concerns: isSchedule,
  *check(subject) {
    const zone = subject.inputs.at("timeZone");
    yield judge(
      subject,
      zone,
      zone.test(
        (value) => typeof value === "string" && (value === "UTC" || (value.includes("/") && isTimeZone(value))),
      ),
      `the time zone is ${zone.shown}`,
      'set timeZone, e.g. "UTC"',
    );
  },
};
