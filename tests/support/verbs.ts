import type { ExaiEvent, Operation, ProgressEvent, Verb } from "../../contract/events.ts";

/** Runs an operation to its end. */
export async function runOperation<Result>(
  operation: Operation<Result>,
): Promise<{ readonly result: Result; readonly events: readonly ProgressEvent[] }> {
  const events: ProgressEvent[] = [];
  for (;;) {
    const next = await operation.next();
    if (next.done === true) return { result: next.value, events };
    events.push(next.value);
  }
}

/** Runs a verb to its end. */
export async function runVerb(verb: Verb): Promise<{ readonly code: number; readonly events: readonly ExaiEvent[] }> {
  const events: ExaiEvent[] = [];
  for (;;) {
    const next = await verb.next();
    if (next.done === true) return { code: next.value, events };
    events.push(next.value);
  }
}
