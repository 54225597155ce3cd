import { UserError } from "../../contract/errors.ts";
import type { RolloutContext } from "../../operations/rollout/context.ts";
import { madeByCompose } from "./engine.ts";
import { localStack, type Overrides } from "./project.ts";

/**
 * All that a rollout touches on this machine. `deploys`: the verb may put an image into a slot, which must not happen
 * under an `up` or a `down`; the others change traffic alone and never wait.
 *
 * @throws UserError where the stack is not up, or (exit code 3) is being changed
 */
export async function rolloutContext(
  stack: string,
  overrides: Overrides,
  signal: AbortSignal,
  { deploys = false }: { readonly deploys?: boolean } = {},
): Promise<RolloutContext> {
  const local = localStack(stack, overrides);
  const { settings } = local;
  if (deploys) {
    const { notBeingChanged } = await import("./alone.ts");
    await notBeingChanged({ stack, home: local.home });
  }
  // Docker is asked before the rest is loaded: an on-call waits for both.
  const [byCompose, { localContext }] = await Promise.all([
    madeByCompose(settings.instance, "router"),
    import("./context.ts"),
  ]);
  if (byCompose === undefined) throw new UserError(`stack ${stack}`, "is not up", "./exai up");
  return localContext(local, overrides, byCompose, signal);
}
