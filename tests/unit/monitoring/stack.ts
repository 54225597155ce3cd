import { JOBS } from "../../../contract/monitoring.ts";
import type { RulesArgs } from "../../../components/monitoring/rules/args.ts";

/** Rules of a stack that has everything: all jobs, the three schedules and a WAL archive. */
export const RULES: RulesArgs = {
  jobs: Object.values(JOBS),
  backups: [
    { schedule: "daily", kind: "full", maxAgeSeconds: 26 * 3600 },
    { schedule: "hourly", kind: "incremental", maxAgeSeconds: 2 * 3600 },
    { schedule: "weekly", kind: "differential", maxAgeSeconds: 170 * 3600 },
  ],
  walArchive: { maxAgeSeconds: 900 },
  drills: { maxAgeSeconds: 38 * 86_400 },
};
