import { isObject } from "../../reading/kubernetes-objects.ts";
import { onlyOnKubernetes } from "../../reading/pods.ts";
import type { Reader } from "../../model/reader.ts";
import { judge, type ResourceRule } from "../../model/rule.ts";
import { all, any, not, type Truth } from "../../model/truth.ts";

/** Network policies list peers and ports. */
export const openings: ResourceRule = {
  name: "network-openings",
  title: "Network policies list peers and ports, and exclude the metadata addresses of clouds",
  level: "mandatory",
  scope: "resource",
  onUnknown: "defer",
  documentation:
    "A rule without `to` or `from`, or with an empty peer, allows all peers; a rule without `ports` allows all ports. An `ipBlock` that contains 169.254.169.254 or fd00:ec2::254 must exclude them, because a cloud serves credentials of the node there.",
  references: [
    { standard: "CIS Kubernetes 1.11", item: "5.3.2" },
    { standard: "Kubescape", item: "C-0052" },
  ],
  notApplicable: onlyOnKubernetes,
  concerns: isObject("NetworkPolicy"),
  *check(subject) {
    const spec = subject.inputs.at("spec");
    const selector = spec.at("podSelector");
    yield judge(
      subject,
      selector,
      any(selector.isPresent, selector.isAbsent),
      "the selector is malformed",
      "set podSelector",
    );
    for (const [list, peers] of [["ingress", "from"] as const, ["egress", "to"] as const])
      for (const rule of spec.at(list).each()) {
        const named = rule.at(peers);
        yield judge(
          subject,
          named,
          named.test((value) => Array.isArray(value) && value.length > 0),
          `the rule allows all peers (no ${peers})`,
          `list the peers in ${peers}`,
        );
        const ports = rule.at("ports");
        yield judge(
          subject,
          ports,
          ports.test((value) => Array.isArray(value) && value.length > 0),
          "the rule allows all ports",
          "list the ports",
        );
        for (const peer of named.each())
          yield judge(
            subject,
            peer,
            isNarrow(peer),
            "the peer includes all addresses, or the metadata address of the node",
            "use a selector, or exclude 169.254.0.0/16 and fc00::/7 with except",
          );
      }
  },
};

function isNarrow(peer: Reader): Truth {
  const cidr = peer.at("ipBlock", "cidr");
  const except = peer.at("ipBlock", "except");
  const broad = cidr.matches(/^(0\.0\.0\.0\/\d|169\.254\.(0\.0|169\.254)\/\d+|f[cd][0-9a-f:]*\/\d+|.*\/[0-7])$/);
  const excepted = any(
    all(not(cidr.matches(/:/)), except.includes("169.254.0.0/16", "169.254.169.254/32")),
    all(cidr.matches(/:/), except.includes("fc00::/7", "fd00::/8", "fd00:ec2::/32", "fd00:ec2::254/128")),
  );
  return any(
    all(cidr.isPresent, any(not(broad), excepted)),
    peer.at("podSelector").isPresent,
    peer
      .at("namespaceSelector")
      .test((value) => typeof value === "object" && value !== null && Object.keys(value).length > 0),
  );
}
