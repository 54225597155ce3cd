import { isObject } from "../../reading/kubernetes/objects.ts";
import { onlyOnKubernetes } from "../../reading/kubernetes/pods.ts";
import { judge, type ResourceRule } from "../../model/rule.ts";
import { any } from "../../model/truth.ts";

/** All external traffic passes through the gateway. */
export const publicServices: ResourceRule = {
  name: "network-public-services",
  title: "Only the Service of the gateway is reachable from outside of the cluster",
  level: "mandatory",
  scope: "resource",
  onUnknown: "defer",
  documentation:
    "`LoadBalancer`, `NodePort` and `externalIPs` bypass the gateway, and with it TLS, the session routes and the weights of a rollout. The controller of the gateway creates the gateway's Service, so the stack declares none.",
  references: [
    { standard: "Kubescape", item: "C-0256" },
    { standard: "Polaris", item: "hostPortSet" },
  ],
  notApplicable: onlyOnKubernetes,
  concerns: isObject("Service"),
  *check(subject) {
    const { inputs } = subject;
    const type = inputs.at("spec", "type");
    yield judge(
      subject,
      type,
      type.isAbsentOr("ClusterIP", "ExternalName"),
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
        ),
        `the Service has ${key}`,
        `remove ${key}`,
      );
    }
  },
};
