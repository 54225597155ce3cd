import type { ExaiEvent, Verb } from "../../contract/events.ts";

/** Runs a verb to its end. */
export async function runVerb(verb: Verb): Promise<{ readonly code: number; readonly events: readonly ExaiEvent[] }> {
  const events: ExaiEvent[] = [];
  for (;;) {
    const next = await verb.next();
    if (next.done === true) return { code: next.value, events };
    events.push(next.value);
  }
}
