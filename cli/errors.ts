import { EXIT, UserError, UserErrors, type ExitCode } from "../contract/errors.ts";
import { command, fix } from "../contract/fix.ts";
import { accessError } from "./access.ts";
import { Interrupted } from "../contract/interrupted.ts";
import type { ErrorEvent } from "./events.ts";

/** The events of what ended a verb: one per user error, or one for a defect of this program. */
export function errorEvents(error: unknown): readonly [ErrorEvent, ...ErrorEvent[]] {
  if (error instanceof UserErrors) {
    const [first, ...others] = error.errors.map(userError);
    if (first !== undefined) return [first, ...others];
  }
  if (error instanceof UserError) return [userError(error)];
  const access = accessError(error);
  if (access !== undefined) return [userError(access)];
  const { message, stack } = error instanceof Error ? error : new Error(String(error));
  return [{ type: "error", code: "internal", where: "exai", message, exitCode: EXIT.failed, stack: stack ?? message }];
}

function userError({ code, where, message, fix, exitCode }: UserError): ErrorEvent {
  return { type: "error", code, where, message, fix, exitCode };
}

/** What Ctrl-C ended. Without an {@link Interrupted} no more is known than that nothing new is begun. */
export function interruptedEvent(error: unknown): ErrorEvent {
  const known = error instanceof Interrupted;
  return {
    type: "error",
    code: "interrupted",
    where: "exai",
    message: known
      ? `interrupted; ${error.message}`
      : "interrupted; what was done stays, and a request that was already sent may still be carried out",
    fix: known ? error.fix : fix`run the same command again, or ${command("rollout resume")} for a rollout`,
    exitCode: EXIT.interrupted,
  };
}

/** An error of commander's: a wrong option, argument or command. */
export function usageError(message: string): ErrorEvent {
  return {
    type: "error",
    code: "invalid-argument",
    where: "command line",
    message: message.trim().replace(/^error: /, ""),
    fix: fix`see ${command("--help")}`,
    exitCode: EXIT.failed satisfies ExitCode,
  };
}
