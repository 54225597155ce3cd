import { UserError } from "../../../contract/errors.ts";
import { command, fix } from "../../../contract/fix.ts";
import { FencedError, TakenError } from "../ports/lease.ts";

/** The error of a holder that may no longer write: another process took over, or the lease was not renewed in time. */
export function lostLease(cause: unknown): UserError {
  if (cause instanceof TakenError || cause instanceof FencedError)
    return new UserError(
      "lock-held",
      "rollout lease",
      "it was lost: another process has taken the rollout over, and this process has stopped writing",
      fix`${command("rollout status")}`,
      { cause },
    );
  return new UserError(
    "unavailable",
    "rollout lease",
    `it was not renewed in time (${cause instanceof Error ? cause.message : String(cause)}), so this process has stopped writing`,
    fix`${command("rollout status")}; if no process leads the rollout: ${command("rollout resume")} (or ${command("rollout abort")})`,
    { cause },
  );
}
