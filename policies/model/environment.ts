import type { ResourceGraph } from "../../contract/graph.ts";
import { LABELS } from "../../contract/labels.ts";
import { Reader } from "./reader.ts";

export const ENVIRONMENTS = ["local", "staging", "prod"] as const;

/** The environment of a stack; it determines which rules apply, and their levels. */
export type Environment = (typeof ENVIRONMENTS)[number];

/** The environment that a stack's name contains; undefined if it contains none. */
export function environmentOfName(stack: string): Environment | undefined {
  return ENVIRONMENTS.find((environment) => environment === stack.split("/").at(-1));
}

/** The environment of a graph: from the stack's name, else from the label on its resources, else the strictest. */
export function environmentOf(graph: ResourceGraph): Environment {
  const named = environmentOfName(graph.stack);
  if (named !== undefined) return named;
  for (const resource of graph.resources) {
    const inputs = Reader.of(resource.inputs);
    const onDocker = inputs
      .at("labels")
      .each()
      .find((label) => label.at("label").text === LABELS.stack)
      ?.at("value").text;
    const labelled = onDocker ?? inputs.at("metadata", "labels", LABELS.stack).text;
    const environment = ENVIRONMENTS.find((candidate) => candidate === labelled);
    if (environment !== undefined) return environment;
  }
  return "prod";
}
