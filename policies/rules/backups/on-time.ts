import { backupJobs } from "../../reading/backups/jobs.ts";
import { isSchedule } from "../../reading/backups/declared.ts";
import { objectsOf } from "../../reading/kubernetes/objects.ts";
import type { Reader } from "../../model/reader.ts";
import { judgeAt, placeOf, subjectOf, type StackRule } from "../../model/rule.ts";
import { all, any, type Truth } from "../../model/truth.ts";

/** Declared backups run. */
export const onTime: StackRule = {
  name: "backup-jobs-on-time",
  title: "A CronJob runs each declared backup, at its time and in its time zone",
  level: "mandatory",
  scope: "stack",
  onUnknown: "fail",
  only: { environments: ["staging", "prod"], reason: "on Docker, the database puts due backups into its queue" },
  documentation:
    "A `BackupSchedule` is a declaration; a CronJob takes the backup. Each enabled schedule has a CronJob that takes backups, has the declared `schedule` and `timeZone`, is not suspended, and has `concurrencyPolicy: Forbid`: runs that overlap wait for the repository, and a run that is replaced may never end.",
  references: [
    { standard: "Requirement", item: "daily full 02:00, hourly incremental, weekly Sunday 03:00" },
    { standard: "NIST SP 800-53", item: "CP-9" },
  ],
  notApplicable: (context) =>
    context.graph.resources.some(isSchedule) ? undefined : "no schedule is declared, which backup-schedules reports",
  *check(context) {
    const backups = new Set(backupJobs(context).map(({ subject }) => subject.resource));
    const jobs = objectsOf(context, "CronJob").filter(({ resource }) => backups.has(resource));
    for (const schedule of context.graph.resources.filter(isSchedule).map(subjectOf)) {
      const declared = schedule.inputs;
      const off = declared.at("enabled").is(false);
      const fires = jobs.map(({ inputs }) => {
        const spec = inputs.at("spec");
        return all(
          same(spec.at("schedule"), declared.at("schedule")),
          same(spec.at("timeZone"), declared.at("timeZone")),
          spec.at("suspend").isAbsentOr(false),
          spec.at("concurrencyPolicy").is("Forbid"),
        );
      });
      yield judgeAt(
        placeOf(schedule, "schedule"),
        any(off, ...fires),
        `no CronJob takes the backup ${declared.at("name").shown} at ${declared.at("schedule").shown}, ${declared.at("timeZone").shown}`,
        "set the schedule and time zone of the CronJob to the declared ones, and do not suspend it",
      );
    }
  },
};

function same(one: Reader, other: Reader): Truth {
  return other.text === undefined ? all(other.isPresent, false) : one.is(other.text);
}
