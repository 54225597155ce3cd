import type { AuditedChange, AuditStore } from "../operations/audit/log.ts";
import { AuditRecord } from "../operations/audit/log.ts";
import { errorEvents, interruptedEvent } from "./errors.ts";
import type { CliEvent, Verb } from "./events.ts";
import type { Results } from "./results.ts";

/** The verbs that change a stack. Each is recorded in the stack's audit log, and has `--reason`. */
export const CHANGING = [
  ...([
    "up",
    "down",
    "migrate apply",
    "migrate reconcile",
    "backup now",
    "branch create",
    "branch merge",
    "branch revert",
    "branch reset",
    "branch delete",
    "branch record",
    "backup verify",
    "drill",
    "restore",
    "restore resume",
    "restore abort",
    "secrets rotate",
    "api-key create",
    "api-key revoke",
    "cutover",
    "rollback",
  ] as const),
  ...(["rollout pause", "rollout resume", "rollout promote", "rollout abort", "rollout finish"] as const),
] satisfies readonly (keyof Results)[];

/** A run of one of these verbs: its subject and its reason. */
export interface Change extends AuditedChange {
  readonly verb: (typeof CHANGING)[number];
}

/**
 * A verb that is recorded: when it begins, and with its outcome when it ends or fails. One that is killed stays as unfinished.
 * The record never keeps the verb waiting, and one that cannot be written is a warning.
 */
export async function* audited(store: AuditStore, change: Change, work: Verb, signal: AbortSignal): Verb {
  // The verb goes first: a rollback sends its requests before a disk is asked for anything.
  let next = work.next();
  const record = new AuditRecord(store, change);
  // A result is the last event, so the warning comes before it.
  let result: CliEvent | undefined;
  try {
    for (;;) {
      const { done, value } = await next;
      if (done === true) {
        yield* warning(await record.end(value));
        if (result !== undefined) yield result;
        return value;
      }
      if (value.type === "result") result = value;
      else yield value;
      next = work.next();
    }
  } catch (error) {
    const { exitCode, code } = signal.aborted ? interruptedEvent(error) : errorEvents(error)[0];
    yield* warning(await record.end(exitCode, code));
    throw error;
  }
}

function* warning(problem: unknown): Generator<CliEvent, void, void> {
  if (problem === undefined) return;
  const reason = problem instanceof Error ? problem.message : JSON.stringify(problem);
  yield { type: "note", level: "warning", message: `the audit log lacks this command: ${reason}` };
}
