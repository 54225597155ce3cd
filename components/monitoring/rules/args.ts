import type { Job } from "../../../contract/monitoring.ts";

/** One backup schedule as its alerts see it. */
export interface WatchedBackup {
  /** Value of the label `schedule`, e.g. `daily`. */
  readonly schedule: string;
  /** Value of the label `kind`, e.g. `full`. */
  readonly kind: string;
  /** Age in seconds from which the last success is stale: the schedule's period and the time that a run may take. */
  readonly maxAgeSeconds: number;
}

/** What the rules of one stack are made for. */
export interface RulesArgs {
  /** The scrape jobs of the stack; each must have a target. */
  readonly jobs: readonly Job[];
  readonly backups: readonly WatchedBackup[];
  /** Watch over the WAL archive. Absent where the provider keeps it (hosted Supabase with PITR). */
  readonly walArchive?: { readonly maxAgeSeconds: number };
  /** Watch over the restore drills. Absent where none is declared. */
  readonly drills?: {
    readonly maxAgeSeconds: number;
    /** Age from which what a drill restores is too old. @default that of {@link OBJECTIVES} */
    readonly recoveryPointSeconds?: number;
  };
  /** Where the runbooks can be read: a directory or a URL, without a final slash. @default "docs/runbooks" */
  readonly runbooks?: string;
}
