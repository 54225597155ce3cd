import { UserError } from "../../contract/errors.ts";
import { command, onStack, type Command } from "../../contract/fix.ts";

/** State of a branch, in Supabase's words for its own. A branch that another program made may have those of its functions. */
export type BranchState =
  | "CREATING_PROJECT"
  | "RUNNING_MIGRATIONS"
  | "MIGRATIONS_PASSED"
  | "MIGRATIONS_FAILED"
  | "FUNCTIONS_DEPLOYED"
  | "FUNCTIONS_FAILED";

/** The moment that a branch shows: a time, or a position in the WAL. */
export interface BranchTarget {
  readonly kind: "time" | "lsn";
  readonly value: string;
}

/**
 * How a copy was made: from the spare, from the base, by a restore of a backup, or, without main's rows, by the migrations that main's
 * ledger has.
 */
export type CopySource = "spare" | "copy" | "restored" | "ledger";

/** What the copy of a branch is to be. */
export interface CopyOptions {
  /** The moment to show. @default the present */
  readonly target?: BranchTarget | undefined;
  /** Whether a hosted branch has main's rows. @default false; a local one always has */
  readonly withData?: boolean | undefined;
  /** Whether a hosted branch stays when Supabase would pause or delete it. @default false */
  readonly persistent?: boolean | undefined;
}

/** What is recorded about a branch. */
export interface BranchRecord {
  readonly name: string;
  /** Reference of the Supabase project of a hosted branch. */
  readonly project?: string;
  /** Of a hosted branch: whether it was made with main's rows. */
  readonly withData?: boolean;
  /** Of a hosted branch. */
  readonly persistent?: boolean;
  readonly state: BranchState;
  /** ISO 8601. */
  readonly createdAt: string;
  /** user@host; absent for a branch that this machine did not make. */
  readonly by?: string;
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
  readonly ageSeconds: number;
  /** Bytes of its files. */
  readonly sizeBytes?: number;
}

/** A command of this CLI on the stack of branches, which is `local` if it has no name. */
export function stackCommand({ stack }: { readonly stack?: string }, line: string): Command {
  return command(onStack(line, stack));
}

const NAME = /^[a-z]([a-z0-9-]{0,29}[a-z0-9])?$/;

/** Main, and the stacks: a command that names only the stack does not make a branch of `local`. */
const RESERVED = ["main", "local", "staging", "prod"];

/** @throws UserError `invalid-argument` if it cannot be the name of a branch */
export function checkBranchName(name: string): string {
  if (NAME.test(name) && !RESERVED.includes(name)) return name;
  throw new UserError(
    "invalid-argument",
    `branch "${name}"`,
    `is not a name: up to 31 lower-case letters, digits and hyphens, first a letter, last no hyphen, and not ${RESERVED.join(", ")}`,
    "for example new-search; the stack follows the name, or --stack has it",
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
