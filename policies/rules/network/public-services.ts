import { isObject } from "../../reading/kubernetes/objects.ts";
import { onlyOnKubernetes } from "../../reading/kubernetes/pods.ts";
import { judge, type ResourceRule } from "../../model/rule.ts";
import { any } from "../../model/truth.ts";

/** All traffic from and to the outside passes what the rules judge. */
export const publicServices: ResourceRule = {
  name: "network-public-services",
  title: "Only the Service of the gateway is reachable from outside of the cluster, and no Service leads out of it",
  level: "mandatory",
  scope: "resource",
  onUnknown: "defer",
  documentation:
    "`LoadBalancer`, `NodePort` and `externalIPs` bypass the gateway, and with it TLS, the session routes and the weights of a rollout. The controller of the gateway creates the gateway's Service, so the stack declares none. An `ExternalName` gives a name of the cluster to any other name, such as that of a metadata service or of a Service of another namespace: routes and programs then send requests, with their credentials, to an address that no rule judges.",
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
      type.isAbsentOr("ClusterIP"),
      type.is("ExternalName") === true
        ? `the Service leads to ${inputs.at("spec", "externalName").shown}`
        : `the Service is of type ${type.shown}`,
      type.is("ExternalName") === true
        ? 'set type: "ClusterIP" and a selector, and let programs use the other name itself'
        : 'set type: "ClusterIP" and add a route to the gateway',
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
