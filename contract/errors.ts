import { Fix, type Command } from "./fix.ts";

/** Exit codes of every command of the CLI; README.md and `--help` document them. */
export const EXIT = {
  /** Done, or nothing to do. */
  ok: 0,
  /** The verb judged and found violations, or a rollout was rolled back. */
  violations: 1,
  /** The verb could not do its work: bad settings, a missing part, an unreachable service. */
  failed: 2,
  /** Another operation holds the lock, or the present state does not allow the command. */
  refused: 3,
  /** Interrupted by the user; the state is resumable. */
  interrupted: 130,
} as const;

/** One of {@link EXIT}. */
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/**
 * What kind of error it is, for programs, and the exit code that goes with it. `docs/events.md` lists them.
 *
 * An operation that can be refused for several reasons says which one in its own typed result.
 */
export const ERROR_CODES = {
  /** An option or an argument of the command line has a wrong value. */
  "invalid-argument": EXIT.failed,
  /** A setting of the stack file has a wrong value, or a required one is missing. */
  "invalid-setting": EXIT.failed,
  /** A file cannot be read, or its content is damaged or of an unknown version. */
  "invalid-file": EXIT.failed,
  /** A stack, image, release, file or object does not exist. */
  "not-found": EXIT.failed,
  /** A program that the command needs is not installed, or too old. */
  "missing-tool": EXIT.failed,
  /** A service does not answer, or answers with an error. */
  unavailable: EXIT.failed,
  /** The user has no access to a file, a socket or an API. */
  "permission-denied": EXIT.failed,
  /** Something did not finish in time. */
  timeout: EXIT.failed,
  /** A program, or a step, failed. */
  failed: EXIT.failed,
  /** Another operation holds the lock. */
  "lock-held": EXIT.refused,
  /** The present state does not allow the operation. */
  "state-conflict": EXIT.refused,
  /** The user did not confirm. */
  "not-confirmed": EXIT.refused,
  /** The policies do not allow it. */
  "policy-violation": EXIT.violations,
} as const satisfies Readonly<Record<string, ExitCode>>;

/** One of {@link ERROR_CODES}. */
export type ErrorCode = keyof typeof ERROR_CODES;

/** An error whose reader is the user: printed without a stack trace, always with the command or the edit that fixes it. */
export class UserError extends Error {
  override readonly name = "UserError";
  readonly code: ErrorCode;
  /** The key, file, argument or resource at fault. */
  readonly where: string;
  readonly fix: Fix;

  constructor(code: ErrorCode, where: string, problem: string, fix: Fix | string, options?: ErrorOptions) {
    super(problem, options);
    this.code = code;
    this.where = where;
    this.fix = typeof fix === "string" ? new Fix([fix]) : fix;
  }

  get exitCode(): ExitCode {
    return ERROR_CODES[this.code];
  }

  /** The whole message on three lines or fewer: where, what is wrong, and the fix. */
  render(write?: (command: Command) => string): string {
    return `${this.where}: ${this.message}\n  fix: ${write === undefined ? this.fix.toString() : this.fix.render(write)}`;
  }
}

/** Whether an error says that something may not be, rather than that it could not be done. */
export function isRefusal(error: unknown): boolean {
  return error instanceof UserError && error.exitCode === EXIT.refused;
}

/** Several user errors found in one pass, so that one run names them all. */
export class UserErrors extends Error {
  override readonly name = "UserErrors";
  readonly errors: readonly UserError[];

  constructor(errors: readonly UserError[]) {
    super(errors.map((error) => error.render()).join("\n"));
    this.errors = errors;
  }
}
