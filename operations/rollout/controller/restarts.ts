import type { Verdict } from "../gates/settings.ts";
import type { RolloutPlan } from "../model/plan.ts";
import type { RolloutSession } from "./store.ts";

/** Whether the candidate's container is the one that was deployed, runs, and has not restarted. */
export async function restarts(session: RolloutSession, plan: RolloutPlan): Promise<Verdict> {
  const status = await session.context.deployer.status(plan.candidate);
  const { deployed } = session.journal;
  const count = status.restarts - (deployed?.restarts ?? 0);
  const replaced = deployed?.id !== undefined && status.id !== deployed.id;
  const figures = { restarts: count, allowed: session.context.gates.restarts };
  const bad = replaced
    ? `${plan.candidate}'s container was replaced by somebody`
    : count > session.context.gates.restarts
      ? `${plan.candidate}'s container restarted ${String(count)} times`
      : !status.running
        ? `${plan.candidate}'s container does not run`
        : undefined;
  return bad === undefined
    ? { gate: "restarts", outcome: "pass", detail: `${String(count)} restarts`, figures }
    : { gate: "restarts", outcome: "fail", detail: bad, figures };
}
