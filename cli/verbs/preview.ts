import { EXIT } from "../../contract/errors.ts";
import type { Verb } from "../../contract/events.ts";
import { timed } from "../../contract/timed.ts";
import { openEngine } from "../../platforms/pulumi/open.ts";
import type { Overrides } from "../../platforms/compose/project.ts";

/** What `up` would change, as the engine sees it, under the policy pack; changes nothing. */
export async function* preview(stack: string, overrides: Overrides, signal: AbortSignal): Verb {
  const { engine } = yield* timed("open", `open stack ${stack}`, () => openEngine(stack, overrides));
  const { stream } = yield* engine.preview({ signal });
  if (stream.changes.length > 0) yield stream.table();
  yield {
    type: "result",
    title:
      stream.changed === 0
        ? `${stack}: nothing would change, ${stream.unchanged} resources are as declared`
        : `${stack}: ${stream.changed} resources would change, ${stream.unchanged} stay`,
    data: { stack, changes: stream.changes, counts: stream.counts, findings: stream.findings },
    next: stream.changed === 0 ? [] : [`./exai up ${stack}`],
  };
  return EXIT.ok;
}
