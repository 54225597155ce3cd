import type { Rule } from "../../model/rule.ts";
import { drillJobs } from "./drill-jobs.ts";
import { drills } from "./drills.ts";
import { encryption } from "./encryption.ts";
import { failureDomain } from "./failure-domain.ts";
import { jobsRun } from "./jobs-run.ts";
import { onTime } from "./on-time.ts";
import { queue } from "./queue.ts";
import { recoveryPoint } from "./recovery-point.ts";
import { retention } from "./retention.ts";
import { runnerSchedules } from "./runner-schedules.ts";
import { schedules } from "./schedules.ts";
import { timeZones } from "./time-zones.ts";
import { backedUpVolumes } from "./volumes.ts";

/** Rules about backups. In the order of reports. */
export const BACKUP_RULES: readonly Rule[] = [
  schedules,
  onTime,
  jobsRun,
  runnerSchedules,
  queue,
  timeZones,
  retention,
  recoveryPoint,
  drills,
  drillJobs,
  failureDomain,
  encryption,
  backedUpVolumes,
];
