import { UserError } from "../../contract/errors.ts";

/** State of a branch, in Supabase's words for its own. */
export type BranchState = "CREATING_PROJECT" | "RUNNING_MIGRATIONS" | "MIGRATIONS_PASSED" | "MIGRATIONS_FAILED";

/** The moment that a branch shows: a time, or a position in the WAL. */
export interface BranchTarget {
  readonly kind: "time" | "lsn";
  readonly value: string;
}

/** How a copy was made: from the spare, from the base, or by a restore of a backup for an earlier moment. */
export type CopySource = "spare" | "copy" | "restored";

/** What is recorded about a branch. */
export interface BranchRecord {
  readonly name: string;
  readonly state: BranchState;
  /** ISO 8601. */
  readonly createdAt: string;
  /** user@host. */
  readonly by: string;
  /** The moment that was requested; absent for the present. */
  readonly target?: BranchTarget;
  /** Position up to which the branch has what main wrote. */
  readonly lsn?: string;
  /** Time of the last transaction of main that it has; absent if there was none since the backup. ISO 8601. */
  readonly asOf?: string;
  readonly source?: CopySource;
  /** Why the migrations failed. */
  readonly reason?: string;
}

/** The last merge of a branch. */
export interface MergeRecord {
  readonly name: string;
  /** When the branch was made. ISO 8601. */
  readonly createdAt: string;
  /** ISO 8601. */
  readonly mergedAt: string;
  /** The migrations, relative to the project. */
  readonly files: readonly string[];
  /** The migrations that reverted it. */
  readonly revertedBy?: readonly string[];
}

/** A branch and its server. */
export interface BranchStatus extends BranchRecord {
  readonly server: "running" | "stopped" | "absent";
  /** Bytes of its files. */
  readonly sizeBytes?: number;
}

const NAME = /^[a-z][a-z0-9-]{0,30}$/;

/** @throws UserError `invalid-argument` if it cannot be the name of a branch */
export function checkBranchName(name: string): string {
  if (NAME.test(name) && name !== "main") return name;
  throw new UserError(
    "invalid-argument",
    `branch "${name}"`,
    "is not a name: up to 31 lower-case letters, digits and hyphens, first a letter, and not main",
    "for example: new-search",
  );
}

/** A time such as `2026-11-29T10:00Z`, or a position such as `0/5000028`. @throws UserError `invalid-argument` */
export function branchTarget(text: string, now = Date.now()): BranchTarget {
  if (/^[0-9A-F]{1,8}\/[0-9A-F]{1,8}$/i.test(text)) return { kind: "lsn", value: text };
  const time = /^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?)?$/.test(text)
    ? Date.parse(
        /[T ]\d{2}:\d{2}.*(Z|[+-]\d{2}:?\d{2})$/.test(text)
          ? text
          : `${text.replace(" ", "T")}${text.length > 10 ? "Z" : ""}`,
      )
    : Number.NaN;
  const problem = Number.isNaN(time) ? "is not a time or a position" : time > now ? "is in the future" : undefined;
  if (problem !== undefined)
    throw new UserError(
      "invalid-argument",
      "--at",
      `"${text}" ${problem}`,
      "a time such as 2026-11-29T10:00Z (UTC without a zone), or a position such as 0/5000028",
    );
  return { kind: "time", value: new Date(time).toISOString() };
}
