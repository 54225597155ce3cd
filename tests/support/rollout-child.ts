/**
 * A controller in a process of its own, to be killed: `node rollout-child.ts <facts as JSON> cutover|abort [image]`.
 */
import type { Verb } from "../../contract/events.ts";
import { LOCAL_IMAGES } from "../../contract/images.ts";
import { localRollout } from "../../operations/rollout/context.ts";
import { cutover } from "../../operations/rollout/cutover.ts";
import { abort } from "../../operations/rollout/resume.ts";
import { PlainDeployer, QUICK_CUTOVER, QUICK_GATES, type StackFacts } from "./rollout-stack.ts";

const [json = "", action = "", image = LOCAL_IMAGES.referenceServer] = process.argv.slice(2);
const facts = JSON.parse(json) as StackFacts;
const context = localRollout({ ...facts, deployer: new PlainDeployer(facts.name), gates: QUICK_GATES });
const verb: Verb =
  action === "abort" ? abort(context, {}) : cutover(context, { ...QUICK_CUTOVER, image, reason: "test" });
for (;;) {
  const next = await verb.next();
  if (next.done === true) process.exit(next.value);
}
