import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { UserError } from "../../contract/errors.ts";
import type { Verb } from "../../contract/events.ts";
import { readDatabase } from "../../policies/database/read.ts";
import { graphOfState } from "../../policies/engine/state.ts";
import { decisionOf, judgeStack } from "../../policies/report/model.ts";
import { RULES } from "../../policies/rules.ts";
import { EXIT_OF, projectWaivers, showReports, type PlanOptions } from "./plan.ts";

export interface AuditOptions extends PlanOptions {
  /** File of `pulumi stack export`. */
  readonly state: string;
}

/**
 * Judges what is deployed: a state file under the same rules as `./exai plan`. What the plan deferred is known now.
 *
 * Exit codes as in `plan`.
 */
export async function* audit(options: AuditOptions): Verb {
  const file = resolve(options.state);
  if (!existsSync(file))
    throw new UserError(options.state, "there is no such file", `pulumi stack export --file ${options.state}`);
  const graph = graphOfState(readFileSync(file, "utf8"), options.state);
  const { root, waivers } = projectWaivers(options.root);
  const reports = [judgeStack(RULES, graph, await readDatabase(root), waivers)];
  yield* showReports(reports, options);
  return EXIT_OF[decisionOf(reports)];
}
