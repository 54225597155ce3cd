import { UserError } from "../../contract/errors.ts";
import { command, fix, type Command } from "../../contract/fix.ts";
import { EngineStream } from "./changes.ts";

/** What was requested of the engine. */
export interface EngineOperation {
  readonly verb: "preview" | "up" | "down";
  readonly stack: string;
  /** Whether the stack is this machine's own, for which the engine has to be asked for. */
  readonly local: boolean;
}

/** The command of an operation. */
export function engineCommand({ verb, stack, local }: EngineOperation): Command {
  return command(`${verb} ${stack}${local && verb !== "down" ? " --engine" : ""}`);
}

/** Turns a failure of the CLI into an error for the user. */
export function explain(
  failure: unknown,
  operation: EngineOperation,
  stream = new EngineStream({ preview: true }),
): unknown {
  if (!(failure instanceof Error)) return failure;
  const { stack } = operation;
  const said = failure.message;
  const cause = { cause: failure };
  if (/currently locked by|conflict: Another update/i.test(said))
    return new UserError(
      "lock-held",
      `stack ${stack}`,
      "another operation holds its lock",
      `wait until it ends; if its process is gone: pulumi cancel --stack ${stack}`,
      cause,
    );
  if (/passphrase must be set|incorrect passphrase/i.test(said))
    return new UserError(
      "permission-denied",
      `stack ${stack}`,
      /incorrect/i.test(said) ? "the passphrase is not the stack's" : "the passphrase of its secrets is not set",
      "export PULUMI_CONFIG_PASSPHRASE=…   (or PULUMI_CONFIG_PASSPHRASE_FILE=<file>)",
      cause,
    );
  const retry = fix`correct it, then run ${engineCommand(operation)} again; it continues where it ended`;
  return stream.failure(stack, retry, lastLines(said));
}

/** The CLI's own error lines in the long message of a failed command. */
function lastLines(message: string): string {
  const lines = message.split("\n").map((line) => line.trim());
  const errors = lines.filter((line) => line.startsWith("error:")).map((line) => line.slice("error:".length).trim());
  // The SDK repeats the CLI's lines.
  return errors.length > 0 ? [...new Set(errors)].join("\n  ") : lines.filter(Boolean).slice(-6).join("\n  ");
}
