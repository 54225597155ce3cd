/**
 * A controller of a cluster's rollout in a separate process, to be killed:
 * `node rollout-child.ts <settings as JSON> cutover|resume`.
 */
import { openKubernetesRollout } from "../../../platforms/kubernetes/rollout.ts";
import { declaredStack, type Overrides } from "../../../platforms/declared.ts";
import type { Verb } from "../../../cli/events.ts";
import { LOCAL_IMAGES } from "../../../contract/images.ts";
import { Cluster } from "../../../operations/rollout/kubernetes/cluster.ts";
import { KUBERNETES_GATES, slotImages } from "./stack.ts";
import { cutover, resume } from "../rollout/verbs.ts";

const [json = "", action = ""] = process.argv.slice(2);
const settings = JSON.parse(json) as Overrides;
const cluster = Cluster.open({ kubeconfig: settings.kubeconfig, namespace: settings.instance ?? "" });
const opened = await openKubernetesRollout(
  declaredStack("staging", settings),
  new AbortController().signal,
  slotImages(cluster),
);
const context = { ...opened.context, gates: { ...opened.context.gates, ...KUBERNETES_GATES } };
const request = {
  image: LOCAL_IMAGES.referenceServer,
  steps: [20, 100],
  holdSeconds: 8,
  bakeSeconds: 1,
  reason: "test",
};
const verb: Verb = action === "resume" ? resume(context) : cutover(context, request);
for (;;) {
  const next = await verb.next();
  if (next.done === true) {
    // This distinguishes the verb's exit code from that of a crashed process.
    process.stdout.write(`ended ${String(next.value)}\n`, () => process.exit(next.value));
    break;
  }
  const event = next.value;
  if (event.type === "step") process.stdout.write(`${event.id} ${event.status}\n`);
}
