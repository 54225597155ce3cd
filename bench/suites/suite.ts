import { parseAllDocuments } from "yaml";
import type { Inputs, Resource } from "../../contract/graph.ts";
import { evaluate } from "../../policies/model/evaluate.ts";
import { RULES } from "../../policies/rules/index.ts";

/** One thing that a suite says must be refused or let pass, and what our rules say of it. */
export interface Case {
  /** Where it stands in the suite. */
  readonly id: string;
  readonly refuse: boolean;
  /** What our rules find. */
  readonly findings: readonly string[];
}

/** A public suite of tests for policies. */
export interface Suite {
  /** Repository, which is also what its checkout is called after the slash. */
  readonly repository: string;
  /** Folders of the checkout that are read. */
  readonly reads: readonly string[];
  cases(folder: string): Iterable<Case> | AsyncIterable<Case>;
  /** Intentional disagreements with the suite: cases and reasons. */
  readonly disagreements: readonly (readonly [cases: RegExp, reason: string])[];
}

interface Manifest {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata?: { readonly name?: string };
  readonly items?: readonly Manifest[];
}

/** The objects of a YAML file as a stack would register them; lists are taken apart. */
export function objectsIn(text: string): Resource[] {
  return parseAllDocuments(text)
    .flatMap((document) => {
      const object = document.toJS() as Manifest | null;
      return object === null ? [] : object.kind === "List" ? (object.items ?? []) : [object];
    })
    .filter((object) => typeof object.kind === "string")
    .map(resourceOf);
}

function resourceOf(object: Manifest): Resource {
  const version = object.apiVersion ?? "";
  const type = `kubernetes:${version.includes("/") ? version : `core/${version}`}:${object.kind ?? ""}`;
  const name = object.metadata?.name ?? "";
  return {
    urn: `urn:pulumi:prod::suite::${type}::${name}`,
    type,
    name,
    custom: true,
    inputs: object as Inputs,
    dependencies: [],
    propertyDependencies: {},
    options: { protect: false, ignoreChanges: [], deleteBeforeReplace: false, additionalSecretOutputs: [] },
  };
}

/** What a check of a suite asks, in our rules. */
export interface Ask {
  readonly rules: readonly string[];
  /** The part of what the rules say, where they ask more than the check does. */
  readonly says?: RegExp;
}

/** A question to a rule, or to the part of it that says something. */
export function ask(rule: string, says?: RegExp): Ask {
  return { rules: [rule], ...(says === undefined ? {} : { says }) };
}

/** What rules find wrong with the objects of a stack; with all of them, or with the one that is given. */
export function findingsAbout(resources: readonly Resource[], ask: Ask, about?: Resource): readonly string[] {
  const rules = RULES.filter(({ name }) => ask.rules.includes(name));
  if (rules.length !== ask.rules.length) throw new Error(`one of these is not a rule: ${ask.rules.join(", ")}`);
  const graph = { project: "suite", stack: "prod", resources, outputs: {} };
  return evaluate(rules, { graph, environment: "prod" }, new Error("not asked"))
    .flatMap(({ findings }) => findings)
    .filter(({ place, message }) => (about ?? place.resource) === place.resource && (ask.says?.test(message) ?? true))
    .map(({ policy, message }) => `${policy}: ${message}`);
}
