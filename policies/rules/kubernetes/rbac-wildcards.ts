import { every } from "../../model/reader.ts";
import { all, not } from "../../model/truth.ts";
import { judge, type ResourceRule } from "../../model/rule.ts";
import { kindOf } from "../../reading/pods.ts";

/** Rights are named one by one. */
export const rbacWildcards: ResourceRule = {
  name: "kubernetes-rbac-wildcards",
  title: "Roles name their verbs, resources and groups, and nobody is bound to cluster-admin",
  level: "mandatory",
  scope: "resource",
  onUnknown: "defer",
  documentation:
    "`*` grants what later versions add as well. `escalate`, `bind` and `impersonate` are rights to take other rights, and are refused too.",
  references: [{ standard: "CIS Kubernetes 1.11", item: "5.1.1, 5.1.3, 5.1.8" }],
  notApplicable: () => "the stack makes no roles and no bindings",
  concerns: (resource) => ["Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"].includes(kindOf(resource) ?? ""),
  *check(subject) {
    if ((kindOf(subject.resource) ?? "").endsWith("Binding")) {
      const place = subject.inputs.at("roleRef", "name");
      yield judge(
        subject,
        place,
        all(place.isPresent, not(place.is("cluster-admin", "admin", "edit"))),
        `it binds to ${place.shown}`,
        "bind to a role that names its rights",
      );
      return;
    }
    const rules = subject.inputs.at("rules");
    if (rules.isAbsent === true) yield judge(subject, rules, true, "", "");
    for (const rule of rules.each())
      for (const key of ["verbs", "resources", "apiGroups", "nonResourceURLs"]) {
        const list = rule.at(key);
        const refused = key === "verbs" ? ["*", "escalate", "bind", "impersonate"] : ["*"];
        const holds = every(list.each(), (element) => all(element.isPresent, not(element.is(...refused))));
        yield judge(
          subject,
          list,
          holds,
          `${key} has ${list
            .each()
            .map((element) => element.shown)
            .join(", ")}`,
          `name the ${key} that are needed`,
        );
      }
  },
};
