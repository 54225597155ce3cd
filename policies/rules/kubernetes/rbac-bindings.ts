import { judge, type StackContext, type StackRule, type Subject } from "../../model/rule.ts";
import { all, any, not, type Truth } from "../../model/truth.ts";
import { objectsOf, sameNamespace } from "../../reading/kubernetes/objects.ts";
import { kindOf } from "../../reading/kubernetes/pods.ts";

/** ClusterRoles of every cluster that only read, and no Secrets. */
const HARMLESS = [
  "view",
  "system:auth-delegator",
  "system:public-info-viewer",
  "system:basic-user",
  "system:discovery",
];

/** Bindings give known permissions to known subjects. */
export const rbacBindings: StackRule = {
  name: "kubernetes-rbac-bindings",
  title: "Bindings refer to roles of the stack, and to subjects that are named",
  level: "mandatory",
  scope: "stack",
  onUnknown: "defer",
  documentation: `The permissions of a role that the stack does not declare are not known to the rules: a binding refers to a role of the stack, or to ${HARMLESS.join(", ")}. Its subjects are service accounts or users. Users and groups whose names start with \`system:\` are everyone, every service account, or components of the cluster; the service account \`default\` belongs to every pod that names none.`,
  references: [
    { standard: "CIS Kubernetes 1.11", item: "5.1.1, 5.1.5, 5.1.7" },
    { standard: "Kubernetes documentation", item: "RBAC good practices, least privilege" },
  ],
  notApplicable: () => "the stack creates no bindings",
  *check(context) {
    for (const binding of objectsOf(context, "RoleBinding", "ClusterRoleBinding")) {
      const role = binding.inputs.at("roleRef", "name");
      yield judge(
        binding,
        role,
        any(
          isDeclared(context, binding),
          all(role.is(...HARMLESS), binding.inputs.at("roleRef", "kind").is("ClusterRole")),
        ),
        `it refers to ${binding.inputs.at("roleRef", "kind").text ?? "role"} ${role.shown}, which the stack does not declare`,
        "refer to a role of the stack that lists the permissions",
      );
      for (const subject of binding.inputs.at("subjects").each()) {
        const name = subject.at("name");
        const isAccount = subject.at("kind").is("ServiceAccount");
        yield judge(
          binding,
          name,
          any(
            all(isAccount, name.isPresent, not(name.is("default"))),
            all(not(isAccount), name.isPresent, not(name.matches(/^system:/))),
          ),
          `${subject.at("kind").text ?? "subject"} ${name.shown} gets the permissions`,
          "bind the role to a service account of the stack",
        );
      }
    }
  },
};

function isDeclared(context: StackContext, binding: Subject): Truth {
  const reference = binding.inputs.at("roleRef");
  return any(
    ...objectsOf(context, "Role", "ClusterRole").map((role) => {
      const name = role.inputs.at("metadata", "name");
      const kind = kindOf(role.resource) ?? "";
      return all(
        reference.at("kind").is(kind),
        // The name of an object that the engine names is unknown in a plan.
        name.text === undefined ? name.isPresent : reference.at("name").is(name.text),
        kind === "Role" ? sameNamespace(role, binding) : true,
      );
    }),
  );
}
