import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import type { PolicyResource, ReportViolation, ResourceValidationArgs } from "@pulumi/policy";
import type { Inputs, Resource, ResourceGraph } from "../../contract/graph.ts";
import { readDatabase } from "../database/read.ts";
import { ENVIRONMENTS, environmentOf, environmentOfName, type Environment } from "../model/environment.ts";
import { evaluate, levelOf, outcomeOf } from "../model/evaluate.ts";
import { subjectOf, type ResourceRule, type Rule } from "../model/rule.ts";
import { messageOf } from "../report/model.ts";
import { withManifests } from "../reading/kubernetes/manifests.ts";
import { RULES } from "../rules/index.ts";
import { readExceptions, type Exceptions } from "../model/exceptions.ts";
import { fromWire } from "../../contract/engine/wire.ts";
import { explicitProvider } from "./provider.ts";

const require = createRequire(import.meta.url);
const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** An entry of the graph in the SDK; see {@link keepMarks}. */
interface Struct {
  toJavaScript(): Record<string, unknown>;
}

/**
 * Serves the rules to the engine as a CrossGuard pack. Rules about single resources run before the resource is created;
 * rules about the stack or the database run when all resources are known. Starts a server: call it once per process.
 */
export function servePack(rules: readonly Rule[] = RULES, root: string = ROOT): void {
  keepMarks();
  const { PolicyPack } = require("@pulumi/policy") as typeof import("@pulumi/policy");
  const lane = new Lane(rules, root);
  new PolicyPack("exai-stack", {
    enforcementLevel: "mandatory",
    policies: [
      ...rules.map((rule) => {
        const about = { name: rule.name, description: rule.title, enforcementLevel: lane.level(rule) };
        return rule.scope === "resource"
          ? {
              ...about,
              validateResource: (args: ResourceValidationArgs, report: ReportViolation) => {
                lane.judgeResource(rule, args, report);
              },
            }
          : {
              ...about,
              validateStack: (args: { resources: PolicyResource[] }, report: ReportViolation) =>
                lane.judgeStack(rule, args.resources, report),
            };
      }),
      {
        name: "pack-coverage",
        description: "Every rule checked something, or does not apply to the stack",
        enforcementLevel: "mandatory" as const,
        validateStack: (args: { resources: PolicyResource[] }, report: ReportViolation) => {
          lane.judgeCoverage(args.resources, report);
        },
      },
      {
        name: "waivers",
        description: "No waiver has expired, and each waiver and declared kind is used",
        enforcementLevel: "mandatory" as const,
        validateStack: (args: { resources: PolicyResource[] }, report: ReportViolation) => {
          lane.judgeWaivers(args.resources, report);
        },
      },
    ],
  });
}

/**
 * Makes the SDK return properties with their marks. Without this, it removes the mark of secrets, and throws on the first
 * access to an unknown value, which ends the rule. A test checks this against the version of the SDK.
 */
function keepMarks(): void {
  const module = require("@pulumi/policy/deserialize") as { deserializeProperties: (struct: Struct) => unknown };
  module.deserializeProperties = (struct) => fromWire(struct.toJavaScript());
}

/** Judges one operation of the engine. */
class Lane {
  readonly #rules: readonly Rule[];
  readonly #root: string;
  readonly #exceptions: Exceptions;
  /** Inputs by URN, from the program: stack rules receive outputs, in which components lack their inputs. */
  readonly #inputs = new Map<string, Inputs>();
  readonly #seen = new Map<string, Resource>();
  /** Number of verdicts of each resource rule. */
  readonly #judged = new Map<string, number>();
  #database: ReturnType<typeof readDatabase> | undefined;

  constructor(rules: readonly Rule[], root: string) {
    this.#rules = rules;
    this.#root = root;
    const names = rules.map((rule) => rule.name);
    this.#exceptions = readExceptions(root, names, new Date());
  }

  /** The level that the engine enforces; the strictest one if the stack is not known yet. */
  level(rule: Rule): "mandatory" | "advisory" {
    const environment = environmentOfName(process.env.PULUMI_NODEJS_STACK ?? process.env.PULUMI_STACK ?? "");
    const levels = (environment === undefined ? ENVIRONMENTS : [environment]).map((name) =>
      levelOf(rule, { environment: name }),
    );
    return levels.includes("mandatory") ? "mandatory" : "advisory";
  }

  judgeResource(rule: ResourceRule, args: ResourceValidationArgs, report: ReportViolation): void {
    const resource = resourceOf(args);
    this.#inputs.set(resource.urn, resource.inputs);
    this.#seen.set(resource.urn, resource);
    // All that the engine has registered so far: the label of a single resource decides nothing.
    const environment = this.#environment([...this.#seen.values()]);
    if (rule.only !== undefined && !rule.only.environments.includes(environment)) return;
    const context = { graph: withManifests(graphOf([resource]), this.#root), environment };
    const concerned = context.graph.resources.filter((one) => rule.concerns(one));
    if (concerned.length === 0) return;
    const verdicts = concerned.flatMap((one) => [...rule.check(subjectOf(one), environment)]);
    this.#judged.set(rule.name, (this.#judged.get(rule.name) ?? 0) + verdicts.length);
    for (const finding of outcomeOf(rule, context, verdicts, 0).findings)
      if (this.#exceptions.match(finding, context.graph.stack) === undefined) report(messageOf(finding));
  }

  async judgeStack(rule: Rule, resources: readonly PolicyResource[], report: ReportViolation): Promise<void> {
    const all = this.#all(resources);
    const context = { graph: withManifests(graphOf(all), this.#root), environment: this.#environment(all) };
    const database =
      rule.scope === "database"
        ? await (this.#database ??= readDatabase(this.#root))
        : new Error("the rule does not need the database");
    const [outcome] = evaluate([rule], context, database);
    if (outcome?.inconclusive !== undefined) report(`inconclusive: ${outcome.inconclusive}`);
    for (const finding of outcome?.findings ?? []) {
      if (this.#exceptions.match(finding, context.graph.stack) !== undefined) continue;
      const { source, resource } = finding.place;
      report(
        source === undefined ? messageOf(finding) : `${source.file}:${source.line}: ${messageOf(finding)}`,
        resource?.urn,
      );
    }
  }

  judgeCoverage(resources: readonly PolicyResource[], report: ReportViolation): void {
    const all = this.#all(resources);
    const context = { graph: graphOf(all), environment: this.#environment(all) };
    for (const rule of this.#rules) {
      if (rule.scope !== "resource" || (this.#judged.get(rule.name) ?? 0) > 0) continue;
      if (rule.only !== undefined && !rule.only.environments.includes(context.environment)) continue;
      if (rule.notApplicable?.(context) === undefined) report(`${rule.name} found nothing to check in this stack`);
    }
  }

  /** Runs last, when all findings were matched. */
  judgeWaivers(resources: readonly PolicyResource[], report: ReportViolation): void {
    for (const finding of this.#exceptions.findings(graphOf(this.#all(resources)).stack)) report(messageOf(finding));
  }

  #all(resources: readonly PolicyResource[]): Resource[] {
    return resources
      .filter((resource) => resource.type !== "pulumi:pulumi:Stack")
      .map((resource) => {
        const whole = resourceOf(resource);
        return whole.custom ? whole : { ...whole, inputs: this.#inputs.get(whole.urn) ?? whole.inputs };
      });
  }

  #environment(resources: readonly Resource[]): Environment {
    return environmentOf(graphOf(resources));
  }
}

function resourceOf(given: ResourceValidationArgs | PolicyResource): Resource {
  const whole = "dependencies" in given ? given : undefined;
  const parent = whole?.parent?.urn ?? given.opts.parent;
  return {
    urn: given.urn,
    type: given.type,
    name: given.name,
    // Types of components start with `exai:`; those of providers and of the stack start with `pulumi:`.
    custom: !given.type.startsWith("exai:"),
    inputs: unproxied(given.props),
    ...(parent === undefined || parent.includes("pulumi:pulumi:Stack::") ? {} : { parent }),
    dependencies: whole?.dependencies.map((resource) => resource.urn) ?? [],
    propertyDependencies: Object.fromEntries(
      Object.entries(whole?.propertyDependencies ?? {}).map(([key, resources]) => [
        key,
        resources.map((resource) => resource.urn),
      ]),
    ),
    options: {
      protect: given.opts.protect,
      ignoreChanges: given.opts.ignoreChanges,
      deleteBeforeReplace: given.opts.deleteBeforeReplace ?? false,
      additionalSecretOutputs: given.opts.additionalSecretOutputs,
      ...explicitProvider(given.provider?.urn),
    },
  };
}

/** The object behind the SDK's proxy, which throws on unknown values. */
function unproxied(props: Record<string, unknown>): Inputs {
  return (props.__isSpecialProxy === true ? props.__getSpecialProxyTarget : props) as Inputs;
}

/** The graph of resources; their URNs contain the names of stack and project: `urn:pulumi:<stack>::<project>::<type>::<name>`. */
function graphOf(resources: readonly Resource[]): ResourceGraph {
  const [stack = "", project = ""] = resources[0]?.urn.replace(/^urn:pulumi:/, "").split("::") ?? [];
  return { project, stack, resources, outputs: {} };
}
