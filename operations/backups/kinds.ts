/** Kinds of manual backups. `weekly` takes kind and retention of the weekly schedule. */
export const MANUAL_KINDS = ["full", "incremental", "differential", "weekly"] as const;

/** One of {@link MANUAL_KINDS}. */
export type ManualKind = (typeof MANUAL_KINDS)[number];
