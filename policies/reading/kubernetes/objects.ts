import type { Resource } from "../../../contract/graph.ts";
import { subjectOf, type StackContext, type Subject } from "../../model/rule.ts";
import type { Truth } from "../../model/truth.ts";
import { kindOf } from "./pods.ts";
import { isUnderstoodObject } from "../understood-kinds.ts";

/** The stack's Kubernetes objects of some kinds; those of the same name in other API groups are not among them. */
export function objectsOf(context: StackContext, ...kinds: readonly string[]): readonly Subject[] {
  return context.graph.resources.filter(isObject(...kinds)).map(subjectOf);
}

/** Whether a resource is an object of one of some kinds. */
export function isObject(...kinds: readonly string[]): (resource: Resource) => boolean {
  return (resource) =>
    kinds.includes(kindOf(resource) ?? "") &&
    isUnderstoodObject({ ...resource, type: resource.type.replace(/Patch$/, "") });
}

/** Whether two objects are in the same namespace. */
export function sameNamespace(a: Subject, b: Subject): Truth {
  const name = a.inputs.at("metadata", "namespace");
  const other = b.inputs.at("metadata", "namespace");
  // Two unknown namespaces in one stack are taken for the same namespace.
  if (name.state === "unknown" && other.state === "unknown") return true;
  return other.text === undefined ? name.isAbsent : name.is(other.text);
}
