import { setTimeout as sleep } from "node:timers/promises";
import { isRefusal, UserError } from "../../contract/errors.ts";
import type { Ahead } from "../../operations/rollout/ports/prefetch.ts";
import type { RolloutContext } from "../../operations/rollout/ports/context.ts";
import { POSTGRES_PASSWORD } from "./database.ts";
import { madeByCompose } from "./containers.ts";
import { localStack, type LocalStack, type Overrides } from "./project.ts";

/** What a verb on a rollout is like. */
export interface VerbKind {
  /** It may put an image into a slot, which must not happen under an `up` or a `down`; others never wait for those. */
  readonly deploys?: boolean;
  /** Users are badly served until it has moved them. */
  readonly urgent?: boolean;
}

/** How long a router may be silent and still count as one that runs, milliseconds. */
const SILENCE_MS = 500;

/** A context on its way. */
export interface Opening {
  /** Rejects with a UserError where the stack is not up. */
  readonly context: Promise<RolloutContext>;
}

/**
 * All that a rollout touches on this machine. Returns when those have been asked whose answers an urgent verb waits for,
 * so that the rest can be loaded meanwhile.
 *
 * @throws UserError (exit code 3) where the stack is being changed and the verb must wait for it
 */
export async function openLocalRollout(
  stack: string,
  overrides: Overrides,
  signal: AbortSignal,
  { deploys = false, urgent = false }: VerbKind = {},
): Promise<Opening> {
  const local = localStack(stack, overrides);
  if (deploys) {
    const { notBeingChanged } = await import("./stack-lock.ts");
    await notBeingChanged({ stack, home: local.home });
  }
  const byCompose = madeByComposeOnce(local);
  const ahead = urgent ? await askAhead(local) : undefined;
  const context = async () => {
    const [{ localContext }] = await Promise.all([import("./rollout-context.ts"), urgent ? undefined : byCompose()]);
    // A router that answers is that of a stack that is up, and Docker need not say so.
    if (ahead !== undefined && !(await answers(ahead))) await byCompose();
    return localContext(local, overrides, byCompose, signal, ahead);
  };
  return { context: context() };
}

/** Asks Docker, once and when that is wanted, whether Compose made a stack. Rejects with a UserError where nobody did. */
function madeByComposeOnce({ settings: { stack, instance } }: LocalStack): () => Promise<boolean> {
  const ask = async () => {
    const byCompose = await madeByCompose(instance, "router");
    if (byCompose === undefined) throw new UserError("not-found", `stack ${stack}`, "is not up", "./exai up");
    return byCompose;
  };
  let asked: Promise<boolean> | undefined;
  return () => (asked ??= ask());
}

/** The router first: its answer takes longest, and it needs the least to be asked. */
async function askAhead(local: LocalStack): Promise<Ahead> {
  const [{ Asked }, { EnvoyTraffic }, { localRouter }] = await Promise.all([
    import("../../operations/rollout/ports/prefetch.ts"),
    import("../../operations/rollout/local/envoy-traffic.ts"),
    import("./router.ts"),
  ]);
  const traffic = new EnvoyTraffic(localRouter(local));
  const readiness = new Asked(() => traffic.readiness());
  // Where the database has no password yet there is none, and asking for it would make one.
  if (local.state.known(POSTGRES_PASSWORD) === undefined) return { readiness };
  const [{ localSchema }, { ROLLBACK_SECONDS }] = await Promise.all([
    import("./schema.ts"),
    import("../../operations/rollout/controller/schema-check.ts"),
  ]);
  const schema = localSchema(local);
  return { readiness, schema: new Asked(() => schema.state(ROLLBACK_SECONDS)) };
}

/** Whether the router answers, or is only slow to do so. Rejects with a UserError where another stack's does. */
async function answers({ readiness }: Ahead): Promise<boolean> {
  const answered = readiness.answer().then(
    () => true,
    (error: unknown) => {
      if (isRefusal(error)) throw error;
      return false;
    },
  );
  return Promise.race([answered, sleep(SILENCE_MS, true, { ref: false })]);
}
