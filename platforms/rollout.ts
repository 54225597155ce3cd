import type { Verb } from "../contract/events.ts";
import { PROJECT_ROOT } from "../operations/images/paths.ts";
import type { RolloutContext } from "../operations/rollout/ports/context.ts";
import { environmentOf } from "../stacks/settings/parse.ts";
import { stackFileSource } from "../synth/stack-file.ts";
import type { Overrides } from "./compose/project.ts";
import type { VerbKind } from "./compose/rollout.ts";

/** Which stack's rollout, and by what verb. */
export interface RolloutRequest extends VerbKind {
  readonly stack: string;
  readonly set?: Overrides;
}

/** A verb on a stack's rollout. */
export type RolloutVerb = (context: RolloutContext) => Verb;

/**
 * Runs a verb on a stack's rollout, on whichever platform it is, and lets go of what it held.
 *
 * @param load gives the verb; on this machine its modules are loaded while others are asked, and an on-call waits for both
 */
export async function* withRollout(
  { stack, set = {}, deploys = false, urgent = false }: RolloutRequest,
  signal: AbortSignal,
  load: () => Promise<RolloutVerb>,
): Verb {
  const source = stackFileSource(PROJECT_ROOT, stack, { overrides: set, defers: true });
  if (environmentOf(stack, source) === "local") {
    const { openLocalRollout } = await import("./compose/rollout.ts");
    const opening = await openLocalRollout(stack, set, signal, { deploys, urgent });
    const [context, verb] = await Promise.all([opening.context, load()]);
    return yield* verb(context);
  }
  const { openClusterRollout } = await import("./kubernetes/rollout.ts");
  const opened = await openClusterRollout(stack, set, signal);
  try {
    return yield* (await load())(opened.context);
  } finally {
    await opened.close();
  }
}
