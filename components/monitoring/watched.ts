import type { Schedule } from "../backups/schedules.ts";
import type { WatchedBackup } from "./rules/args.ts";

/** Seconds from one run to the next, and the time that a run may take and be late. */
const MAX_AGE_SECONDS: Readonly<Record<Schedule["frequency"], number>> = {
  hourly: 2 * 3600,
  daily: 26 * 3600,
  weekly: (7 * 24 + 12) * 3600,
};

/** The declared backup schedules as the alerts watch them; the age limit follows from the schedule. */
export function watchedBackups(schedules: readonly Schedule[]): readonly WatchedBackup[] {
  return schedules.map(({ name, kind, frequency }) => ({
    schedule: name,
    kind,
    maxAgeSeconds: MAX_AGE_SECONDS[frequency],
  }));
}
