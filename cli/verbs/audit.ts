import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { UserError } from "../../contract/errors.ts";
import type { ResourceGraph } from "../../contract/graph.ts";
import type { Verb } from "../../contract/events.ts";
import { readDatabase } from "../../policies/database/read.ts";
import { graphOfState } from "../../policies/pack/state.ts";
import { decisionOf, judgeStack } from "../../policies/report/model.ts";
import { RULES } from "../../policies/rules/index.ts";
import type { Overrides } from "../../platforms/declared.ts";
import { openStack } from "../../platforms/stack.ts";
import { EXIT_OF, projectWaivers, showReports, type PlanOptions } from "./plan.ts";

export interface AuditOptions extends PlanOptions {
  /** File of `pulumi stack export`, in the place of a stack. */
  readonly state?: string;
}

/**
 * Judges what is deployed under the same rules as `./exai plan`: the state of a stack as the engine has it, or a file of
 * it. What the plan deferred is known now. The engine tells secrets in the clear; they stay in this process's memory.
 *
 * Exit codes as in `plan`.
 */
export async function* audit(stack: string | undefined, overrides: Overrides, options: AuditOptions): Verb {
  const graph = await graphOf(stack, overrides, options.state);
  const { root, waivers } = projectWaivers(options.root);
  const reports = [judgeStack(RULES, graph, await readDatabase(root), waivers)];
  yield* showReports(reports, options);
  return EXIT_OF[decisionOf(reports)];
}

async function graphOf(
  stack: string | undefined,
  overrides: Overrides,
  path: string | undefined,
): Promise<ResourceGraph> {
  if (stack !== undefined && path !== undefined)
    throw new UserError("invalid-argument", "--state", "is given together with a stack", `./exai audit ${stack}`);
  if (path !== undefined) {
    const file = resolve(path);
    if (!existsSync(file))
      throw new UserError("not-found", path, "there is no such file", `pulumi stack export --file ${path}`);
    return graphOfState(readFileSync(file, "utf8"), path);
  }
  if (stack === undefined)
    throw new UserError(
      "failed",
      "audit",
      "no stack is named",
      "./exai audit staging, or: ./exai audit --state <file>",
    );
  return graphOfState(await openStack(stack, overrides).engineState(), `stack ${stack}`, `./exai up ${stack}`);
}
