import { KINDS_FILE, UNKNOWN_KIND } from "../../model/kinds.ts";
import { judge, type ResourceRule, type Subject } from "../../model/rule.ts";
import { isManifest } from "../../reading/kubernetes/manifests.ts";
import { isUnderstood } from "../../reading/understood-kinds.ts";

/** A closed world: what no rule understands is a finding. */
export const unknownKind: ResourceRule = {
  name: UNKNOWN_KIND,
  title: "The rules understand the kind of every resource, or the project declares the kind with a reason",
  level: "mandatory",
  scope: "resource",
  onUnknown: "fail",
  documentation: `A resource of a kind that no rule understands passes all of them: a chart, a command, a custom resource or another provider can create a privileged pod. It is a finding until \`${KINDS_FILE}\` names its type, the stacks and a reason (\`policies/model/kinds.schema.json\`). The same holds for patches of objects that the stack does not own. The objects of a \`ConfigGroup\`, a \`ConfigFile\` or a list are judged in its place if all of them can be read: literal YAML, and files of the project. Pod templates, containers and host paths are found in every custom resource by their shape, declared or not.`,
  references: [
    { standard: "NSA/CISA Kubernetes Hardening", item: "Admission control" },
    { standard: "Requirement", item: "a closed world of resources" },
  ],
  concerns: () => true,
  *check(subject) {
    yield judge(
      subject,
      "",
      isUnderstood(subject.resource),
      problemOf(subject),
      `use a kind that the rules judge, or name ${subject.resource.type} in ${KINDS_FILE} with a reason`,
    );
  },
};

function problemOf({ resource }: Subject): string {
  if (isManifest(resource))
    return `its objects cannot be judged: not all of them can be read from the project without ${
      resource.type.includes(":helm.sh/") ? "helm" : resource.type.includes(":kustomize") ? "kustomize" : "a network"
    }`;
  if (/^kubernetes:.*Patch$/.test(resource.type)) return "it changes an object that the stack does not own";
  return `no rule understands ${resource.type}`;
}
