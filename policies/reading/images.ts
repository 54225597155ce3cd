import type { Resource } from "../../contract/graph.ts";
import type { Reader } from "../model/reader.ts";
import { subjectOf, type Subject } from "../model/rule.ts";
import { isContainer } from "./containers.ts";
import { bearsPods, kindOf, podsOf } from "./kubernetes/pods.ts";

/** Whether a resource runs images. */
export function runsImages(resource: Resource): boolean {
  return (
    isContainer(resource) || isPulled(resource) || bearsPods(resource) || proxyImage(subjectOf(resource)) !== undefined
  );
}

/** Every place of a resource that names an image to run. */
export function imagesOf(subject: Subject): readonly Reader[] {
  if (isPulled(subject.resource)) return [subject.inputs.at("name")];
  if (isContainer(subject.resource)) return [subject.inputs.at("image")];
  const proxy = proxyImage(subject);
  return [
    ...(proxy === undefined ? [] : [proxy]),
    ...podsOf(subject).flatMap((pod) => [
      ...pod.containers.map((container) => container.reader.at("image")),
      ...pod.spec
        .at("volumes")
        .each()
        .filter((volume) => volume.at("image").isPresent === true)
        .map((volume) => volume.at("image", "reference")),
    ]),
  ];
}

/** The image of Envoy Gateway's proxies; the controller makes the rest of their pods. */
function proxyImage({ resource, inputs }: Subject): Reader | undefined {
  if (kindOf(resource) !== "EnvoyProxy") return undefined;
  const image = inputs.at("spec", "provider", "kubernetes", "envoyDeployment", "container", "image");
  return image.isPresent === false ? undefined : image;
}

/** Whether a resource is a pulled image, to which containers refer by its resolved name. */
function isPulled(resource: Resource): boolean {
  return resource.type === "docker:index/remoteImage:RemoteImage";
}
