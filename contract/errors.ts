/** Exit codes of every `./exai` verb; documented in README.md and by `./exai --help`. */
export const EXIT = {
  /** Done, or nothing to do. */
  ok: 0,
  /** The verb judged and found violations, or a rollout was rolled back. */
  violations: 1,
  /** The verb could not do its work: bad settings, a missing part, an unreachable service. */
  failed: 2,
  /** Somebody else holds the lease, or the state does not allow the verb now. */
  refused: 3,
  /** Interrupted by the user; the state is resumable. */
  interrupted: 130,
} as const;

/** One of {@link EXIT}. */
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/**
 * An error whose reader is the user: printed without a stack trace, always with the command or edit that mends it.
 *
 * `where` names the key, file or resource at fault.
 */
export class UserError extends Error {
  override readonly name = "UserError";
  readonly where: string;
  readonly mend: string;
  readonly exitCode: ExitCode;

  constructor(where: string, problem: string, mend: string, exitCode: ExitCode = EXIT.failed, options?: ErrorOptions) {
    super(problem, options);
    this.where = where;
    this.mend = mend;
    this.exitCode = exitCode;
  }

  /** The whole message on three lines or fewer: where, what is wrong, and the mend. */
  render(): string {
    return `${this.where}: ${this.message}\n  mend: ${this.mend}`;
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
