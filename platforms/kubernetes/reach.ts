import type { Operation } from "../../contract/events.ts";
import { timed } from "../../contract/timed.ts";
import type { Settings } from "../../stacks/settings.ts";
import { clusterOf } from "./rollout.ts";

/**
 * Asks the API server of a stack, before the engine does: without an answer the engine previews a new stack, and an `up` makes the
 * part that is not on the cluster.
 *
 * @throws UserError if the kubeconfig or its context does not exist, or the API server does not answer
 */
export async function* reachCluster(settings: Settings): Operation<void> {
  const cluster = clusterOf(settings);
  yield* timed("cluster", `reach cluster ${cluster.context}`, () =>
    cluster.read({ apiVersion: "v1", kind: "Namespace", name: settings.instance }),
  );
}
