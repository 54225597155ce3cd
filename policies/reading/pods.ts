import type { Resource } from "../../contract/graph.ts";
import { subjectOf, type StackContext, type Subject } from "../model/rule.ts";
import type { Truth } from "../model/truth.ts";
import type { Reader } from "../model/reader.ts";

/** A pod, or the template of one. */
export interface Pod {
  readonly spec: Reader;
  readonly metadata: Reader;
  /** Every container of the three lists. */
  readonly containers: readonly Container[];
  /** Whether `spec.os.name` says Windows: Pod Security leaves some fields out there. */
  readonly windows: Truth;
  /** Whether it has a user namespace of its own (`hostUsers: false`), which Pod Security takes into account. */
  readonly userNamespace: Truth;
}

/** A container of a pod. */
export interface Container {
  readonly reader: Reader;
  readonly role: "container" | "init container" | "ephemeral container";
  /** Role and name, for messages. */
  readonly label: string;
  /** Whether it stays: a container, or an init container that is restarted always (a sidecar). */
  readonly stays: Truth;
}

/** Where each kind keeps the pod's specification. */
const TEMPLATES: Readonly<Record<string, readonly string[]>> = {
  Pod: [],
  PodTemplate: ["template"],
  Deployment: ["spec", "template"],
  StatefulSet: ["spec", "template"],
  DaemonSet: ["spec", "template"],
  ReplicaSet: ["spec", "template"],
  ReplicationController: ["spec", "template"],
  Job: ["spec", "template"],
  CronJob: ["spec", "jobTemplate", "spec", "template"],
};

/** Fields by which the template of a custom kind is known for a pod's: other kinds have templates of other things. */
const PODS_OWN = ["containers", "initContainers", "hostNetwork", "hostPID", "hostIPC", "hostUsers"];

/** The kind of a Kubernetes resource; undefined for any other resource. */
export function kindOf(resource: Resource): string | undefined {
  if (!resource.type.startsWith("kubernetes:")) return undefined;
  return resource.type.slice(resource.type.lastIndexOf(":") + 1).replace(/Patch$/, "");
}

/** Whether the resource is, or makes, pods. A custom kind with a pod template counts, and so does a list of them. */
export function bearsPods(resource: Resource): boolean {
  return podsOf(subjectOf(resource)).length > 0;
}

/** The pods of a resource: one, or one per item of a list kind. */
export function podsOf(subject: Subject): readonly Pod[] {
  const kind = kindOf(subject.resource);
  if (kind === undefined) return [];
  const patch = subject.resource.type.endsWith("Patch");
  const path = TEMPLATES[kind];
  if (path !== undefined) return [podAt(subject.inputs.at(...path), patch)];
  const item = TEMPLATES[kind.replace(/List$/, "")];
  if (item !== undefined && kind.endsWith("List"))
    return subject.inputs
      .at("items")
      .each()
      .map((reader) => podAt(reader.at(...item), false));
  const template = subject.inputs.at("spec", "template");
  // One that may turn out to have pods is one: its open places are deferred then.
  return PODS_OWN.every((key) => template.at("spec", key).isPresent === false) ? [] : [podAt(template, patch)];
}

function podAt(template: Reader, patch: boolean): Pod {
  const spec = template.at("spec");
  const lists = [
    ["init container", "initContainers", false],
    // A pod without containers is malformed, and its rules then fail; a patch may name none.
    ["container", "containers", !patch],
    ["ephemeral container", "ephemeralContainers", false],
  ] as const;
  const containers = lists.flatMap(([role, key, required]) =>
    (required ? spec.at(key).eachRequired() : spec.at(key).each()).map((reader) => ({
      reader,
      role,
      label: `${role} ${reader.at("name").shown}`,
      stays: role === "container" ? true : role === "init container" ? reader.at("restartPolicy").is("Always") : false,
    })),
  );
  return {
    spec,
    metadata: template.at("metadata"),
    containers,
    windows: spec.at("os", "name").is("windows"),
    userNamespace: spec.at("hostUsers").is(false),
  };
}

/** Why a stack without pods is in order. */
export function noPods(context: StackContext): string | undefined {
  return context.environment === "local" ? "the local stack runs on Docker and makes no pods" : undefined;
}

/** Why a stack without Kubernetes objects of some kind is in order. */
export function onlyOnKubernetes(context: StackContext): string | undefined {
  return context.environment === "local" ? "the local stack runs on Docker and makes no Kubernetes objects" : undefined;
}
