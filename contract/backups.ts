/** The CronJob of the restore drills on a cluster. A restore, and a verification, is a Job of its kind. */
export const RESTORE_DRILL = "restore-drill";
