import type { Resource, ResourceGraph } from "../../contract/graph.ts";
import { LABELS } from "../../contract/labels.ts";
import { Reader } from "./reader.ts";

/** From the weakest rules to the strictest. */
export const ENVIRONMENTS = ["local", "staging", "prod"] as const;

/** The environment of a stack; it determines which rules apply, and their levels. */
export type Environment = (typeof ENVIRONMENTS)[number];

/** The environment that a stack's name contains; undefined if it contains none. */
export function environmentOfName(stack: string): Environment | undefined {
  return ENVIRONMENTS.find((environment) => environment === stack.split("/").at(-1));
}

/**
 * The environment of a graph: from the stack's name, else the strictest one that a resource's label names, else the strictest of
 * all. One label cannot weaken the rules of a stack.
 */
export function environmentOf(graph: ResourceGraph): Environment {
  const named = environmentOfName(graph.stack);
  if (named !== undefined) return named;
  const labels = new Set(graph.resources.map(labelOf));
  return ENVIRONMENTS.findLast((environment) => labels.has(environment)) ?? "prod";
}

function labelOf(resource: Resource): string | undefined {
  const inputs = Reader.of(resource.inputs);
  const onDocker = inputs
    .at("labels")
    .each()
    .find((label) => label.at("label").text === LABELS.stack)
    ?.at("value").text;
  return onDocker ?? inputs.at("metadata", "labels", LABELS.stack).text;
}
