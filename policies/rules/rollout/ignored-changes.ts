import type { Resource } from "../../../contract/graph.ts";
import { judge, type ResourceRule } from "../../model/rule.ts";

/** What others change while it runs: weights of the rollout controller, replicas of an autoscaler, notes of controllers. */
const CHANGED_BY_OTHERS =
  /^(?:spec\.replicas|metadata(?:\.(?:annotations|labels|finalizers|resourceVersion|managedFields|generation|uid)\b.*)?|status\b.*|spec\.template\.metadata\.annotations\b.*|spec\.volumeName|spec\.clusterIPs?|spec\.(?:jobTemplate|volumeClaimTemplates)\b.*\.metadata\b.*)$/;
const ROUTE = /^kubernetes:gateway\.networking\.k8s\.io\/[^:]+:(?:HTTP|GRPC|TCP)Route$/;

/** What the rules judge is what runs. */
export const ignoredChanges: ResourceRule = {
  name: "ignored-changes",
  title: "The engine ignores no change that the rules judge",
  level: "mandatory",
  scope: "resource",
  onUnknown: "fail",
  documentation:
    "With `ignoreChanges`, the engine keeps what a resource has, and the rules judge what the program declares: a fix of a container, a role or a network policy does not reach the cluster. Ignored may be what others change while it runs: the rules of a route (weights), replicas, annotations, labels and the status of Kubernetes objects, and values of generated secrets.",
  references: [{ standard: "Pulumi", item: "resource option ignoreChanges" }],
  concerns: ({ type }) => /^(?:docker|kubernetes|supabase):/.test(type),
  *check(subject) {
    const { resource } = subject;
    const ignored = resource.options.ignoreChanges.filter((path) => !isChangedByOthers(resource, path));
    yield judge(
      subject,
      "",
      ignored.length === 0,
      `the engine ignores changes of ${ignored.join(", ")}`,
      `remove ${ignored.join(", ")} from ignoreChanges`,
    );
  },
};

function isChangedByOthers({ type }: Resource, path: string): boolean {
  if (ROUTE.test(type) && /^spec(?:\.rules\b.*)?$/.test(path)) return true;
  return type.startsWith("kubernetes:") && CHANGED_BY_OTHERS.test(path);
}
