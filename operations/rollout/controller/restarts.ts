import type { Verdict } from "../../../contract/verdict.ts";
import type { RolloutPlan } from "../model/plan.ts";
import type { StateRun } from "./state-run.ts";

/** Whether the candidate's container is the one that was deployed, runs, and has not restarted. */
export async function restarts(run: StateRun, plan: RolloutPlan): Promise<Verdict> {
  const status = await run.context.deployer.status(plan.candidate);
  const { deployed } = run.journal;
  const figure = status.restarts - (deployed?.restarts ?? 0);
  const limit = run.context.gates.restarts;
  const replaced = deployed?.id !== undefined && status.id !== deployed.id;
  const why = replaced ? "replaced" : figure > limit ? "restarted" : status.running ? undefined : "not-running";
  const common = { gate: "restarts", figure, limit, comparison: "<=", unit: "restarts", test: "none" } as const;
  return why === undefined ? { ...common, verdict: "pass", why: "within-limit" } : { ...common, verdict: "fail", why };
}
