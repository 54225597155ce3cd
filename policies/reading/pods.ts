import type { Resource } from "../../contract/graph.ts";
import { subjectOf, type StackContext, type Subject } from "../model/rule.ts";
import type { Truth } from "../model/truth.ts";
import type { Reader } from "../model/reader.ts";

/** A pod or a pod template. */
export interface Pod {
  readonly spec: Reader;
  readonly metadata: Reader;
  /** The containers of all three lists. */
  readonly containers: readonly Container[];
  /** Whether `spec.os.name` is Windows: Pod Security does not check some fields then. */
  readonly windows: Truth;
  /** Whether it has a separate user namespace (`hostUsers: false`), which Pod Security takes into account. */
  readonly userNamespace: Truth;
}

/** A container of a pod. */
export interface Container {
  readonly reader: Reader;
  readonly role: "container" | "init container" | "ephemeral container";
  /** Role and name, for messages. */
  readonly label: string;
  /** Whether it runs as long as its pod: a container, or a sidecar (an init container with `restartPolicy: Always`). */
  readonly isLongRunning: Truth;
}

/** The path of the pod template in each kind. */
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

/** Fields that show that the template of a custom kind is a pod template. */
const PODS_OWN = ["containers", "initContainers", "hostNetwork", "hostPID", "hostIPC", "hostUsers"];

/** The kind of a Kubernetes resource; undefined for any other resource. */
export function kindOf(resource: Resource): string | undefined {
  if (!resource.type.startsWith("kubernetes:")) return undefined;
  return resource.type.slice(resource.type.lastIndexOf(":") + 1).replace(/Patch$/, "");
}

/** Whether the resource is a pod or creates pods. Custom kinds with a pod template and lists count. */
export function bearsPods(resource: Resource): boolean {
  return podsOf(subjectOf(resource)).length > 0;
}

/** The pods of a resource: one, or one for each item of a list kind. */
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
  // A template that may be a pod template counts as one, so that its unknown places are deferred.
  return PODS_OWN.every((key) => template.at("spec", key).isPresent === false) ? [] : [podAt(template, patch)];
}

function podAt(template: Reader, patch: boolean): Pod {
  const spec = template.at("spec");
  const lists = [
    ["init container", "initContainers", false],
    // A pod without containers is malformed, so its rules fail; a patch may have none.
    ["container", "containers", !patch],
    ["ephemeral container", "ephemeralContainers", false],
  ] as const;
  const containers = lists.flatMap(([role, key, required]) =>
    (required ? spec.at(key).eachRequired() : spec.at(key).each()).map((reader) => ({
      reader,
      role,
      label: `${role} ${reader.at("name").shown}`,
      isLongRunning:
        role === "container" ? true : role === "init container" ? reader.at("restartPolicy").is("Always") : false,
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

/** Why a stack may have no pods. */
export function noPods(context: StackContext): string | undefined {
  return context.environment === "local" ? "the local stack runs on Docker and creates no pods" : undefined;
}

/** Why a stack may have no Kubernetes objects. */
export function onlyOnKubernetes(context: StackContext): string | undefined {
  return context.environment === "local"
    ? "the local stack runs on Docker and creates no Kubernetes objects"
    : undefined;
}
