import { PassThrough } from "node:stream";
import type { Operation, ProgressEvent } from "../../contract/events.ts";
import type { CliEvent } from "../../cli/events.ts";
import { expect } from "vitest";
import { eventErrors } from "./event-schema.ts";
import { textRenderer } from "../../cli/render/text.ts";

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

/** What a verb yields. */
export type VerbEvent = CliEvent;

/**
 * Runs a verb to its end, and checks each event against the published schema. `text`: what a log shows of it, standard output and
 * standard error.
 */
export async function runVerb<Event extends CliEvent>(
  verb: AsyncGenerator<Event, number, void>,
): Promise<{ readonly code: number; readonly events: readonly Event[]; readonly text: string }> {
  const events: Event[] = [];
  const out = new PassThrough();
  const renderer = textRenderer({ out, err: out }, true);
  for (;;) {
    const { done, value } = await verb.next();
    if (done === true) return { code: value, events, text: String(out.read() ?? "") };
    events.push(value);
    const timed = { at: new Date().toISOString(), ...value };
    expect(eventErrors(timed)).toEqual([]);
    renderer.show(timed);
  }
}
