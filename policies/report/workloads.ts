import type { Resource, ResourceGraph } from "../../contract/graph.ts";
import { isContainer } from "../reading/containers.ts";
import { kindOf, podsOf } from "../reading/kubernetes/pods.ts";
import { Reader } from "../model/reader.ts";
import { subjectOf } from "../model/rule.ts";

/** A workload, for a reviewer. */
export interface Workload {
  /** Name of the component that declares it; `stack` if it has none. */
  readonly component: string;
  readonly kind: string;
  readonly name: string;
  /** Images, or what is known about them. */
  readonly images: readonly string[];
  /** Ports: `127.0.0.1:8080->8080` on Docker, `8080` in a pod. */
  readonly ports: readonly string[];
  /** Number of replicas, or a schedule. */
  readonly scale: string;
}

/** The workloads of a stack, by component. */
export function workloadsOf(graph: ResourceGraph): readonly Workload[] {
  const byUrn = new Map(graph.resources.map((resource) => [resource.urn, resource]));
  const workloads = graph.resources.flatMap((resource) => {
    const component = ownerOf(resource, byUrn);
    const workload = isContainer(resource) ? dockerWorkload(resource, byUrn) : podWorkload(resource);
    return workload === undefined ? [] : [{ component, ...workload }];
  });
  return workloads.sort((a, b) => compare(`${a.component}\0${a.name}`, `${b.component}\0${b.name}`));
}

function dockerWorkload(resource: Resource, byUrn: ReadonlyMap<string, Resource>): Omit<Workload, "component"> {
  const inputs = Reader.of(resource.inputs);
  const image = inputs.at("image");
  // The container refers to a pulled image by its identifier; the report shows its name.
  const pulled = (resource.propertyDependencies.image ?? [])
    .map((urn) => byUrn.get(urn))
    .find((source) => source?.type === "docker:index/remoteImage:RemoteImage");
  const named = pulled === undefined ? image : Reader.of(pulled.inputs).at("name");
  return {
    kind: "Container",
    name: textOf(inputs.at("name"), resource.name),
    images: [textOf(named)],
    ports: inputs
      .at("ports")
      .each()
      .map(
        (port) => `${textOf(port.at("ip"), "*")}:${textOf(port.at("external"), "?")}->${textOf(port.at("internal"))}`,
      ),
    scale: "1",
  };
}

function podWorkload(resource: Resource): Omit<Workload, "component"> | undefined {
  const subject = subjectOf(resource);
  const [pod] = podsOf(subject);
  if (pod === undefined) return undefined;
  const schedule = subject.inputs.at("spec", "schedule");
  return {
    kind: kindOf(resource) ?? resource.type,
    name: textOf(subject.inputs.at("metadata", "name"), resource.name),
    images: [...new Set(pod.containers.map((container) => textOf(container.reader.at("image"))))],
    ports: pod.containers.flatMap((container) =>
      container.reader
        .at("ports")
        .each()
        .map((port) => textOf(port.at("containerPort"))),
    ),
    scale: schedule.isAbsent === true ? textOf(subject.inputs.at("spec", "replicas"), "1") : textOf(schedule),
  };
}

/** The name of the outermost component. */
function ownerOf(resource: Resource, byUrn: ReadonlyMap<string, Resource>): string {
  let owner: Resource | undefined;
  let parent = resource.parent === undefined ? undefined : byUrn.get(resource.parent);
  while (parent !== undefined) {
    if (!parent.custom) owner = parent;
    parent = parent.parent === undefined ? undefined : byUrn.get(parent.parent);
  }
  return owner?.name ?? "stack";
}

function textOf(reader: Reader, absent = "-"): string {
  if (reader.secret) return "[secret]";
  if (reader.state === "unknown") return "(known after apply)";
  return reader.text ?? (reader.number === undefined ? absent : String(reader.number));
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
