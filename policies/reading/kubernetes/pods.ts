import type { Resource } from "../../../contract/graph.ts";
import { subjectOf, type StackContext, type Subject } from "../../model/rule.ts";
import type { Truth } from "../../model/truth.ts";
import type { Reader } from "../../model/reader.ts";
import { isUnderstoodObject } from "../understood-kinds.ts";

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

/** Fields that show that an object of a custom kind is the spec of a pod. */
const PODS_OWN = ["containers", "initContainers", "hostNetwork", "hostPID", "hostIPC", "hostUsers"];

/** Fields of which a container that stands alone has one, next to its image. */
const CONTAINERS_OWN = ["command", "args", "env", "envFrom", "securityContext", "volumeMounts", "ports", "resources"];

/** Fields of a container that change nothing of what its processes may do. */
const TIMES_AND_SIZES = ["name", "readinessProbe", "livenessProbe", "startupProbe", "resources"];

/** The kind of a Kubernetes resource; undefined for any other resource. */
export function kindOf(resource: Resource): string | undefined {
  if (!resource.type.startsWith("kubernetes:")) return undefined;
  return resource.type.slice(resource.type.lastIndexOf(":") + 1).replace(/Patch$/, "");
}

/** Whether the resource is a pod or creates pods. Custom kinds with a pod template and lists count. */
export function bearsPods(resource: Resource): boolean {
  return podsOf(subjectOf(resource)).length > 0;
}

/** What {@link podsOf} found: each rule about pods asks for it, twice. */
const FOUND = new WeakMap<Resource, readonly Pod[]>();

/** The pods of a resource: one, or one for each item of a list kind. */
export function podsOf(subject: Subject): readonly Pod[] {
  const pods = FOUND.get(subject.resource) ?? find(subject);
  FOUND.set(subject.resource, pods);
  return pods;
}

function find(subject: Subject): readonly Pod[] {
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
  const isPod = PODS_OWN.some((key) => template.at("spec", key).isPresent !== false);
  const proxy = kind === "EnvoyProxy";
  const others =
    isUnderstoodObject(subject.resource) && !proxy
      ? []
      : [...podsIn(subject.inputs.at("spec"), isPod ? template.at("spec").path : undefined)];
  return [...(isPod ? [podAt(template, patch)] : []), ...others.filter((pod) => !(proxy && isPlainPart(pod)))];
}

/** End of the path at which an EnvoyProxy completes the controller's own container. */
const OWN_CONTAINER = ".envoyDeployment.container";

/**
 * Whether it is a part of Envoy Gateway's own Deployment: the image and resources of its container, or a patch of probes and
 * resources alone. The rest of the pod is the controller's.
 */
function isPlainPart({ spec, containers }: Pod): boolean {
  const only = (reader: Reader, keys: readonly string[]): boolean =>
    reader.entries().every(([key, { state }]) => state === "known" && keys.includes(key));
  if (spec.path.endsWith(OWN_CONTAINER)) return only(spec, ["image", "resources"]);
  return (
    spec.path.includes(".patch.value.") &&
    only(spec, ["containers"]) &&
    containers.every(({ reader }) => reader.state === "known" && only(reader, TIMES_AND_SIZES))
  );
}

/** Pods, and containers that stand alone, anywhere in an object of a custom kind, by their shape. */
function* podsIn(reader: Reader, known: string | undefined): Generator<Pod> {
  if (reader.state !== "known" || reader.path === known) return;
  const isList = reader.test((value) => Array.isArray(value)) === true;
  const below = isList
    ? reader.each()
    : reader.test((value) => typeof value === "object") === true
      ? reader.entries().map(([, entry]) => entry)
      : [];
  if (!isList && below.length > 0) {
    const hostPaths = reader
      .at("volumes")
      .each()
      .some((volume) => volume.at("hostPath").isPresent === true);
    if (hostPaths || PODS_OWN.some((key) => reader.at(key).isPresent === true))
      yield podOf(reader, reader.at("metadata"), true);
    else if (reader.at("image").text !== undefined && CONTAINERS_OWN.some((key) => reader.at(key).isPresent === true))
      yield { ...podOf(reader, reader.at("metadata"), true), containers: [containerAt(reader, "container")] };
  }
  for (const entry of below)
    if (!/\.(containers|initContainers|ephemeralContainers|volumes)$/.test(entry.path)) yield* podsIn(entry, known);
}

function podAt(template: Reader, patch: boolean): Pod {
  return podOf(template.at("spec"), template.at("metadata"), patch);
}

function containerAt(reader: Reader, role: Container["role"]): Container {
  return {
    reader,
    role,
    label: `${role} ${reader.at("name").shown}`,
    isLongRunning:
      role === "container" ? true : role === "init container" ? reader.at("restartPolicy").is("Always") : false,
  };
}

function podOf(spec: Reader, metadata: Reader, patch: boolean): Pod {
  const lists = [
    ["init container", "initContainers", false],
    // A pod without containers is malformed, so its rules fail; a patch may have none.
    ["container", "containers", !patch],
    ["ephemeral container", "ephemeralContainers", false],
  ] as const;
  const containers = lists.flatMap(([role, key, required]) =>
    (required ? spec.at(key).eachRequired() : spec.at(key).each()).map((reader) => containerAt(reader, role)),
  );
  return {
    spec,
    metadata,
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
