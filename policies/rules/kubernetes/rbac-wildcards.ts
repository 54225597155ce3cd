import { every } from "../../model/reader.ts";
import { all, any, not } from "../../model/truth.ts";
import { judge, type ResourceRule } from "../../model/rule.ts";
import { kindOf } from "../../reading/kubernetes/pods.ts";

/** Roles list their permissions. */
export const rbacWildcards: ResourceRule = {
  name: "kubernetes-rbac-wildcards",
  title: "Roles list their verbs, resources and groups, and no binding refers to cluster-admin",
  level: "mandatory",
  scope: "resource",
  onUnknown: "defer",
  documentation:
    "`*` also grants what later versions add, and `*/exec` and the like grant a part of every resource. `/debug` and `/logs` of the API server show what it works on. `escalate`, `bind` and `impersonate` allow a subject to gain other permissions, and fail too. So do bindings to the ClusterRoles `admin` and `edit`.",
  references: [{ standard: "CIS Kubernetes 1.11", item: "5.1.1, 5.1.3, 5.1.8" }],
  notApplicable: () => "the stack creates no roles and no bindings",
  concerns: (resource) => ["Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"].includes(kindOf(resource) ?? ""),
  *check(subject) {
    if ((kindOf(subject.resource) ?? "").endsWith("Binding")) {
      const place = subject.inputs.at("roleRef", "name");
      yield judge(
        subject,
        place,
        // A Role belongs to the stack, with any name.
        any(
          all(place.isPresent, not(place.is("cluster-admin", "admin", "edit"))),
          all(place.isPresent, subject.inputs.at("roleRef", "kind").is("Role")),
        ),
        `it refers to role ${place.shown}`,
        "refer to a role that lists its permissions",
      );
      return;
    }
    const rules = subject.inputs.at("rules");
    if (rules.isAbsent === true) yield judge(subject, rules, true, "", "");
    for (const rule of rules.each())
      for (const key of ["verbs", "resources", "apiGroups", "nonResourceURLs"]) {
        const list = rule.at(key);
        const refused = key === "verbs" ? ["*", "escalate", "bind", "impersonate"] : ["*", "/*"];
        const holds = every(list.each(), (element) =>
          all(
            element.isPresent,
            not(element.is(...refused)),
            not(element.matches(/^\*\//)),
            key !== "nonResourceURLs" || not(element.matches(/^\/(?:debug|logs)(?:\/|$)/)),
          ),
        );
        yield judge(
          subject,
          list,
          holds,
          `${key} has ${list
            .each()
            .map((element) => element.shown)
            .join(", ")}`,
          `list the ${key} that are needed`,
        );
      }
  },
};
