import * as pulumi from "@pulumi/pulumi";
import { PACK_VARIABLE } from "../../contract/engine/names.ts";
import { UserError, UserErrors } from "../../contract/errors.ts";
import { command, fix } from "../../contract/fix.ts";
import type { Resource, ResourceGraph } from "../../contract/graph.ts";
import { messageOf } from "../report/model.ts";
import type { Environment } from "../model/environment.ts";
import { evaluate, type Finding } from "../model/evaluate.ts";
import { readExceptions, type Exceptions } from "../model/exceptions.ts";
import { withManifests } from "../reading/kubernetes/manifests.ts";
import { RULES } from "../rules/index.ts";

/** Rules about the database judge the migrations, which no program of the engine applies. */
const PROGRAM_RULES = RULES.filter(({ scope }) => scope !== "database");

/**
 * Judges a program while it runs, by the same rules as the policy pack. The pack holds only where it is named; this holds for a raw
 * `pulumi up` as well.
 */
export class ProgramGuard {
  readonly #environment: Environment;
  readonly #exceptions: Exceptions;
  readonly #root: string;

  /** @param root of the project. @throws UserErrors if the waivers or the declared kinds are malformed */
  constructor(environment: Environment, root: string) {
    const names = RULES.map(({ name }) => name);
    this.#environment = environment;
    this.#root = root;
    this.#exceptions = readExceptions(root, names, new Date());
  }

  /** Judges a resource before it is created. @throws UserError if a mandatory rule does not allow it */
  judgeResource(resource: Resource, stack: string, project: string): void {
    this.#refuse({ project, stack, resources: [resource], outputs: {} }, "resource");
  }

  /** Judges all resources together. @throws UserError if a mandatory rule does not allow them */
  judgeStack(graph: ResourceGraph): void {
    this.#refuse(graph, "stack");
  }

  #refuse(graph: ResourceGraph, scope: "resource" | "stack"): void {
    const context = { graph: withManifests(graph, this.#root), environment: this.#environment };
    const rules = PROGRAM_RULES.filter((rule) => rule.scope === scope);
    const findings = evaluate(rules, context, new Error("is not read"))
      .flatMap((outcome) => outcome.findings)
      .filter((finding) => finding.level === "mandatory" && this.#exceptions.match(finding, graph.stack) === undefined);
    if (findings.length > 0) throw violation(graph.stack, findings);
  }
}

function violation(stack: string, findings: readonly Finding[]): UserError {
  const lines = findings.map((finding) => `${finding.policy} on ${messageOf(finding)}`);
  return new UserError(
    "policy-violation",
    `stack ${stack}`,
    `the policies do not allow it:\n  ${lines.join("\n  ")}`,
    fix`${command(`plan ${stack}`)}   # every finding, with its fix`,
  );
}

/** Calls back before and after each resource of the program is registered. */
type Listen = (listener: Record<"before" | "after", (resource: Resource) => void>) => void;

/**
 * Judges each resource of this program before the engine gets it. Returns what judges all of them, after the last one. Does
 * nothing if the pack judges the program.
 *
 * @param root of the project
 */
export function underPolicies(environment: Environment, root: string, listen: Listen): () => Promise<void> {
  if (process.env[PACK_VARIABLE] !== undefined) return () => Promise.resolve();
  const guard = new ProgramGuard(environment, root);
  const [stack, project] = [pulumi.getStack(), pulumi.getProject()];
  const resources: Resource[] = [];
  let refused = false;
  listen({
    before: (resource) => {
      try {
        guard.judgeResource(resource, stack, project);
      } catch (error) {
        refused = true;
        throw runError(error);
      }
    },
    after: (resource) => {
      resources.push(resource);
    },
  });
  return async () => {
    // Internal in the SDK, which itself waits so when the program has ended.
    await (pulumi.runtime as unknown as { waitForRPCs(): Promise<void> }).waitForRPCs();
    // Without the refused resource, other rules would find what is not wrong.
    if (!refused) guard.judgeStack({ project, stack, resources, outputs: {} });
  };
}

/** An error for the user is printed without a stack trace: the reader fixes a setting, not the program. */
export function runError(error: unknown): unknown {
  if (error instanceof UserError) return new pulumi.RunError(error.render());
  if (error instanceof UserErrors) return new pulumi.RunError(error.message);
  return error;
}
