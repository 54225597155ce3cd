import type { Resource } from "../../../contract/graph.ts";
import { isContainer } from "../../reading/containers.ts";
import { kindOf, podsOf } from "../../reading/kubernetes/pods.ts";
import { Reader } from "../../model/reader.ts";
import { judgeAt, placeOf, subjectOf, type StackContext, type StackRule } from "../../model/rule.ts";
import { any, type Truth } from "../../model/truth.ts";
import { backupJobs } from "../../reading/backups/jobs.ts";

/** Volumes are backed up, or are declared to need no backup. */
export const backedUpVolumes: StackRule = {
  name: "backup-volumes",
  title: "Every volume that keeps data is backed up, or is declared to need no backup",
  level: "mandatory",
  scope: "stack",
  onUnknown: "defer",
  documentation:
    "Checks Docker volumes that a running container can write, volume claims, and the claim templates of StatefulSets. A volume passes if a container that takes backups mounts it (as data or as the repository), or if a parent component lists the name of its resource in `withoutBackup`. Docker volumes that only a one-shot container fills are recreated by every deployment and do not count.",
  references: [{ standard: "NIST SP 800-53", item: "CP-9" }],
  notApplicable: (context) =>
    statefulVolumes(context).next().done === true ? "no volume of this stack keeps data" : undefined,
  *check(context) {
    const mounted = mountedByJobs(context);
    for (const { resource, name } of statefulVolumes(context)) {
      const subject = subjectOf(resource);
      const covered: Truth = any(...mounted.map((reader) => (name === undefined ? false : reader.is(name))));
      yield judgeAt(
        placeOf(subject, ""),
        any(declaredWithout(context, resource), covered),
        "no backup covers this volume",
        "mount it in a container that takes backups, or list it in withoutBackup of its component",
      );
    }
  },
};

interface StatefulVolume {
  readonly resource: Resource;
  /** The name that a mount uses; undefined if it cannot be mounted by name. */
  readonly name: string | undefined;
}

function* statefulVolumes(context: StackContext): Generator<StatefulVolume> {
  const { resources } = context.graph;
  const written = resources.filter(isContainer).flatMap((resource) => writableVolumes(subjectOf(resource).inputs));
  for (const resource of resources) {
    const inputs = Reader.of(resource.inputs);
    const name = inputs.at("name").text;
    if (resource.type === "docker:index/volume:Volume") {
      if (any(...written.map((volume) => (name === undefined ? true : volume.is(name)))) !== false)
        yield { resource, name };
    } else if (kindOf(resource) === "PersistentVolumeClaim")
      yield { resource, name: inputs.at("metadata", "name").text };
    else if (inputs.at("spec", "volumeClaimTemplates").each().length > 0 && kindOf(resource) === "StatefulSet")
      yield { resource, name: undefined };
  }
}

function writableVolumes(container: Reader): Reader[] {
  if (container.at("start").is(false) === true) return [];
  return container
    .at("volumes")
    .each()
    .filter((volume) => volume.at("readOnly").is(true) !== true)
    .map((volume) => volume.at("volumeName"));
}

/** Names of the volumes and claims that containers that take backups mount. */
function mountedByJobs(context: StackContext): Reader[] {
  return backupJobs(context).flatMap(({ subject }) =>
    isContainer(subject.resource)
      ? subject.inputs
          .at("volumes")
          .each()
          .filter((volume) => volume.at("containerPath").matches(/^\/var\/lib\//) !== false)
          .map((volume) => volume.at("volumeName"))
      : podsOf(subject).flatMap((pod) =>
          pod.spec
            .at("volumes")
            .each()
            .map((volume) => volume.at("persistentVolumeClaim", "claimName")),
        ),
  );
}

/** Whether a parent component declares that the volume needs no backup. */
function declaredWithout(context: StackContext, resource: Resource): Truth {
  let parent = resource.parent;
  while (parent !== undefined) {
    const above = context.graph.resources.find(({ urn }) => urn === parent);
    if (above === undefined) return false;
    const listed = Reader.of(above.inputs).at("withoutBackup").includes(resource.name);
    if (listed !== false) return listed;
    parent = above.parent;
  }
  return false;
}
