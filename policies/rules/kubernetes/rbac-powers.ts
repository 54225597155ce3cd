import { judge, type ResourceRule } from "../../model/rule.ts";
import { not } from "../../model/truth.ts";
import { isObject } from "../../reading/kubernetes/objects.ts";
import { notUnderstood, powersOf } from "../../reading/kubernetes/permissions.ts";

const AGGREGATES = "rbac.authorization.k8s.io/aggregate-to-";

/** Roles are judged by what they let their subjects do. */
export const rbacPowers: ResourceRule = {
  name: "kubernetes-rbac-powers",
  title: "Roles do not let their subjects gain other permissions or read the Secrets of others",
  level: "mandatory",
  scope: "resource",
  onUnknown: "defer",
  documentation:
    "Permissions are judged by their effect: reading Secrets, running programs in pods, creating pods or workloads (which run with any service account of the namespace), creating tokens, `nodes/proxy`, writing resources of controllers that make pods of them (Argo, Tekton, Knative, Flux and others), approving certificates, changing roles, bindings, webhooks, namespaces, network policies, Services, endpoints, nodes, custom resource definitions and API services, impersonating. Reading other objects is harmless; writing is so for a list of resources, such as leases, events, ConfigMaps, routes, and the scale of a workload. Another write permission is a finding, that of a custom resource included, since a controller acts on it, and so is deleting volume claims. A single Secret may be named in `resourceNames` and read with `get`. A ClusterRole with an `aggregationRule` gets permissions that the stack does not declare, and one with a label `aggregate-to-…` gives its own to everyone who has the other role.",
  references: [
    { standard: "Kubernetes documentation", item: "RBAC good practices, privilege escalation risks" },
    { standard: "CIS Kubernetes 1.11", item: "5.1.2, 5.1.4, 5.1.8, 5.1.10-5.1.13" },
  ],
  notApplicable: () => "the stack creates no roles",
  concerns: isObject("Role", "ClusterRole"),
  *check(subject) {
    const rules = subject.inputs.at("rules");
    yield judge(subject, rules, true, "", "");
    for (const rule of rules.each())
      for (const { holds, gives } of powersOf(rule))
        yield judge(
          subject,
          rule,
          not(holds),
          `with these permissions, its subject ${gives}`,
          "remove the verbs or resources that are not needed",
        );
    for (const rule of rules.each())
      for (const permission of notUnderstood(rule))
        yield judge(
          subject,
          rule,
          false,
          `the rules do not understand what its subject gains by: ${permission}`,
          "remove the verbs or resources that are not needed, or waive it with what the permission is for",
        );
    const aggregation = subject.inputs.at("aggregationRule");
    yield judge(
      subject,
      aggregation,
      aggregation.isAbsent,
      "its permissions come from other roles, which the stack does not declare",
      "list the permissions in rules",
    );
    for (const [label, value] of subject.inputs.at("metadata", "labels").entries())
      if (label.startsWith(AGGREGATES))
        yield judge(
          subject,
          value,
          not(value.is("true")),
          `everyone who has the role ${label.slice(AGGREGATES.length)} gets its permissions`,
          "remove the label, and bind the role to its subjects",
        );
  },
};
