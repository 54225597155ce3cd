import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { UserError } from "../../contract/errors.ts";
import { command, fix } from "../../contract/fix.ts";
import type { ResourceGraph } from "../../contract/graph.ts";
import { PROJECT_ROOT } from "../../operations/images/paths.ts";
import { readDatabase } from "../../policies/database/read.ts";
import { graphOfState } from "../../policies/pack/state.ts";
import { withManifests } from "../../policies/reading/kubernetes/manifests.ts";
import { judgeStack } from "../../policies/report/model.ts";
import { RULES } from "../../policies/rules/index.ts";
import type { Overrides } from "../../platforms/declared.ts";
import { openStack } from "../../platforms/stack.ts";
import { resultOf, type Verb } from "../events.ts";
import { stacksOf, withOverrides, withStackOption, type Register, type SetFlags } from "./command.ts";
import { EXIT_OF, projectExceptions, reported, withReport, type ReportOptions } from "./plan.ts";

/** audit: whether the policies allow what is deployed. */
export const registerAudit: Register = (program, run) => {
  const audits = withStackOption(
    withOverrides(
      program
        .command("audit")
        .description("check what is deployed against the policies, in the state of the engine")
        .argument("[stack]", "stack whose state is read from the engine")
        .option("--state <file>", "read the state from a file of pulumi stack export instead"),
    ),
  );
  withReport(audits).action(async (_typed: string | undefined, flags: AuditOptions & SetFlags & { stack?: string }) => {
    const [stack] = stacksOf(audits, audits.args, flags.stack);
    await run(() => audit(stack, flags.set ?? {}, flags));
  });
};

export interface AuditOptions extends ReportOptions {
  /** File of `pulumi stack export`, instead of a stack. */
  readonly state?: string;
}

/**
 * `audit`: evaluates the policies on the state of a stack. What the plan deferred is known now. The engine gives secrets in
 * plain text; they stay in the memory of this process.
 */
export function audit(stack: string | undefined, overrides: Overrides, options: AuditOptions): Verb {
  const judge = async () => {
    const root = resolve(options.root ?? PROJECT_ROOT);
    const graph = withManifests(await graphOf(stack, overrides, options.state), root);
    return reported([judgeStack(RULES, graph, await readDatabase(root), projectExceptions(root))], options);
  };
  return resultOf("audit", judge(), ({ decision }) => EXIT_OF[decision]);
}

async function graphOf(
  stack: string | undefined,
  overrides: Overrides,
  path: string | undefined,
): Promise<ResourceGraph> {
  if (stack !== undefined && path !== undefined)
    throw new UserError(
      "invalid-argument",
      "--state",
      "cannot be combined with a stack",
      fix`${command(`audit ${stack}`)}, or ${command(`audit --state ${path}`)}`,
    );
  if (path !== undefined) {
    const file = resolve(path);
    if (!existsSync(file))
      throw new UserError("not-found", path, "does not exist", `pulumi stack export --file ${path}`);
    return graphOfState(readFileSync(file, "utf8"), path);
  }
  if (stack === undefined)
    throw new UserError(
      "invalid-argument",
      "audit",
      "a stack or --state is required",
      fix`${command("audit staging")}, or ${command("audit --state <file>")}`,
    );
  const state = await openStack(stack, overrides).engineState();
  return graphOfState(state, `stack ${stack}`, fix`${command(`up ${stack}`)}`);
}
