import { LABELS } from "../../../contract/labels.ts";
import { isObject } from "../../reading/kubernetes-objects.ts";
import { onlyOnKubernetes } from "../../reading/pods.ts";
import { judge, type ResourceRule } from "../../model/rule.ts";
import { any } from "../../model/truth.ts";

/** Users come by the gateway. */
export const publicServices: ResourceRule = {
  name: "network-public-services",
  title: "No Service but the gateway's is reachable from outside of the cluster",
  level: "mandatory",
  scope: "resource",
  onUnknown: "defer",
  documentation:
    "`LoadBalancer`, `NodePort` and `externalIPs` lead past the gateway: past TLS, the session routes and the rollout's weights. The gateway's own Service is made by its controller; a Service of component `router` is let through.",
  references: [
    { standard: "Kubescape", item: "C-0256" },
    { standard: "Polaris", item: "hostPortSet" },
  ],
  notApplicable: onlyOnKubernetes,
  concerns: isObject("Service"),
  *check(subject) {
    const { inputs } = subject;
    const gateway = inputs.at("metadata", "labels", LABELS.component).is("router");
    const type = inputs.at("spec", "type");
    yield judge(
      subject,
      type,
      any(type.isAbsentOr("ClusterIP", "ExternalName"), gateway),
      `the Service is of type ${type.shown}`,
      'set type: "ClusterIP" and add a route to the gateway',
    );
    for (const key of ["externalIPs", "loadBalancerIP"]) {
      const place = inputs.at("spec", key);
      yield judge(
        subject,
        place,
        any(
          place.isAbsent,
          place.test((value) => Array.isArray(value) && value.length === 0),
          gateway,
        ),
        `the Service has ${key}`,
        `remove ${key}`,
      );
    }
  },
};
