import { setTimeout as sleep } from "node:timers/promises";
import { isRefusal, UserError } from "../../../contract/errors.ts";
import { command, fix } from "../../../contract/fix.ts";
import { Prefetched, type Prefetch } from "../../../operations/rollout/ports/prefetch.ts";
import { ROLLBACK_SECONDS } from "../../../operations/rollout/controller/schema-check.ts";
import { EnvoyTraffic } from "../../../operations/rollout/local/envoy-traffic.ts";
import type { RolloutContext } from "../../../operations/rollout/ports/context.ts";
import { placeOf, POSTGRES_PASSWORD } from "../project.ts";
import type { RolloutKind } from "../../platform.ts";
import { madeByCompose } from "../containers.ts";
import type { DockerStack } from "../project.ts";
import { localContext } from "./context.ts";
import { localRouter } from "./router.ts";
import { localSchema } from "./schema.ts";
import { notBeingChanged } from "../stack-lock.ts";

/** How long the router may take to answer and still count as running, milliseconds. */
const SILENCE_MS = 500;

/** A context that is being opened. */
export interface Opening {
  /** Rejects with a UserError if the stack is not up. */
  readonly context: Promise<RolloutContext>;
}

/**
 * Opens the rollout of a local stack. Returns as soon as the requests that urgent work waits for are sent.
 *
 * @throws UserError (exit code 3) if the stack is being changed and the work deploys
 */
export async function openDockerRollout(
  local: DockerStack,
  signal: AbortSignal,
  { deploys = false, urgent = false }: RolloutKind = {},
): Promise<Opening> {
  if (deploys) await notBeingChanged(placeOf(local));
  const byCompose = madeByComposeOnce(local);
  const prefetch = urgent ? startPrefetch(local) : undefined;
  const context = async () => {
    if (!urgent) await byCompose();
    // If the router answers, the stack is up, and Docker is not asked.
    if (prefetch !== undefined && !(await answers(prefetch))) await byCompose();
    return localContext(local, byCompose, signal, prefetch);
  };
  return { context: context() };
}

/** Asks Docker at the first call whether Compose made the stack. Rejects with a UserError if the stack is not up. */
function madeByComposeOnce({ settings: { stack, instance } }: DockerStack): () => Promise<boolean> {
  const ask = async () => {
    const byCompose = await madeByCompose(instance, "router");
    if (byCompose === undefined) throw new UserError("not-found", `stack ${stack}`, "is not up", fix`${command("up")}`);
    return byCompose;
  };
  let asked: Promise<boolean> | undefined;
  return () => (asked ??= ask());
}

/** Sends the requests of a rollback early. The router first: its answer takes longest. */
function startPrefetch(local: DockerStack): Prefetch {
  const traffic = new EnvoyTraffic(localRouter(local));
  const readiness = new Prefetched(() => traffic.readiness());
  // Without a password there is no database yet, and asking for the password would generate one.
  if (local.state.known(POSTGRES_PASSWORD) === undefined) return { readiness };
  const schema = localSchema(local);
  return { readiness, schema: new Prefetched(() => schema.state(ROLLBACK_SECONDS)) };
}

/** Whether the router answers, or is only slow. Rejects with a UserError if the router of another stack answers. */
async function answers({ readiness }: Prefetch): Promise<boolean> {
  const answered = readiness.answer().then(
    () => true,
    (error: unknown) => {
      if (isRefusal(error)) throw error;
      return false;
    },
  );
  return Promise.race([answered, sleep(SILENCE_MS, true, { ref: false })]);
}
