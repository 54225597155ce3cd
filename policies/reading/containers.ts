import type { Resource } from "../../contract/graph.ts";
import { LABELS } from "../../contract/labels.ts";
import type { Reader } from "../model/reader.ts";
import type { StackContext } from "../model/rule.ts";
import { all, any, type Truth } from "../model/truth.ts";

/** Whether a resource is a container of @pulumi/docker. */
export function isContainer(resource: Resource): boolean {
  return resource.type === "docker:index/container:Container";
}

/** The component of a container, from its label; undefined without one. */
export function componentOf(inputs: Reader): string | undefined {
  return inputs
    .at("labels")
    .each()
    .find((label) => label.at("label").text === LABELS.component)
    ?.at("value").text;
}

/** Whether a container or volume belongs to a component, by its label. */
export function isFor(inputs: Reader, component: string): Truth {
  const labels = inputs.at("labels").each();
  return any(...labels.map((label) => all(label.at("label").is(LABELS.component), label.at("value").is(component))));
}

/** Why a stack may have no Docker containers. */
export function noContainers(context: StackContext): string | undefined {
  return context.environment === "local"
    ? undefined
    : `${context.environment} runs on Kubernetes and creates no Docker containers`;
}
