import { isObject } from "../../reading/kubernetes/objects.ts";
import { areMostOfTheInternet, isMostOfTheInternet, reachesMetadata } from "../../reading/metadata-addresses.ts";
import { sizeOf } from "../../reading/ranges.ts";
import { onlyOnKubernetes } from "../../reading/kubernetes/pods.ts";
import { namesValues } from "../../reading/kubernetes/selectors.ts";
import type { Reader } from "../../model/reader.ts";
import { judge, type ResourceRule } from "../../model/rule.ts";
import { all, any, not, UnknownTruth, type Truth } from "../../model/truth.ts";

/** Ports that the entries of a rule may open together, for one protocol. */
const MOST_PORTS = 1000;

/** Network policies list peers and ports. */
export const openings: ResourceRule = {
  name: "network-openings",
  title: "Network policies list peers and ports, and exclude the metadata addresses of clouds",
  level: "mandatory",
  scope: "resource",
  onUnknown: "defer",
  documentation: `A rule without \`to\` or \`from\`, or with an empty peer, allows all peers; a rule without \`ports\`, or with an entry that has only a protocol, allows all ports, and ranges of more than ${MOST_PORTS} together nearly all. A \`namespaceSelector\` names the value of a label: an empty one selects every namespace of the cluster, and so do \`Exists\`, \`NotIn\` and \`DoesNotExist\`. Addresses are compared as sets: an \`ipBlock\` that contains 169.254.169.254, another address of cloud metadata or fd00:ec2::254 must exclude it, because a cloud serves credentials of the node there. A block of at least 24 bits (IPv6: 112) does not contain the metadata addresses of Alibaba, Azure, Oracle and OpenStack either. Ingress names networks, so a block of IPv4 has at least 8 bits and one of IPv6 at least 16, and all blocks together have at most the size of sixteen of these.`,
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
        for (const port of ports.each())
          yield judge(
            subject,
            port,
            isOnePort(port),
            "the entry allows all ports of its protocol, or a range of nearly all",
            "set port, and endPort for a small range",
          );
        yield judge(
          subject,
          ports,
          ["TCP", "UDP", "SCTP"].every((protocol) => numberOfPorts(ports, protocol) <= MOST_PORTS),
          "the entries together allow nearly all ports",
          "list the ports that are needed",
        );
        if (list === "ingress")
          yield judge(
            subject,
            named,
            !areMostOfTheInternet(named.each().flatMap((peer) => peer.at("ipBlock", "cidr").text ?? [])),
            "the blocks together include most of the internet",
            "name the networks that send requests, or let the gateway receive them",
          );
        for (const peer of named.each()) {
          const block = peer.at("ipBlock");
          if (block.isAbsent === true)
            yield judge(
              subject,
              peer,
              selectsPods(peer),
              "the peer includes all pods of the cluster, or namespaces that it does not name",
              "select namespaces by a value, e.g. kubernetes.io/metadata.name",
            );
          else
            yield judge(
              subject,
              peer,
              all(isBlock(peer), list === "egress" ? withoutMetadata(block) : isNetwork(block)),
              list === "egress"
                ? `${block.at("cidr").shown} contains a metadata address of a cloud`
                : `${block.at("cidr").shown} includes most of the internet`,
              list === "egress"
                ? "use a selector, or exclude 169.254.0.0/16 and fc00::/7 with except"
                : "name the networks that send requests, or let the gateway receive them",
            );
        }
      }
  },
};

function isOnePort(port: Reader): Truth {
  const [first, last] = [port.at("port"), port.at("endPort")];
  if (last.isAbsent === true) return all(first.isPresent, not(first.is("", 0)));
  const from = first.number;
  // A range needs numbers: a port that is known and is not a number does not start one.
  return from === undefined ? first.test(() => false) : last.within(from, from + MOST_PORTS - 1);
}

/** The known ports that the entries of one protocol open together. */
function numberOfPorts(ports: Reader, protocol: string): number {
  const ranges = ports.each().flatMap((port) => {
    const from = port.at("port").number;
    const own = port.at("protocol").text ?? "TCP";
    // An entry that is too large alone has its own finding.
    return from === undefined || own !== protocol || isOnePort(port) !== true
      ? []
      : [[BigInt(from), BigInt(port.at("endPort").number ?? from) + 1n] as const];
  });
  return Number(sizeOf(ranges));
}

/** Pods of the own namespace, or of namespaces that a value names. */
function selectsPods(peer: Reader): Truth {
  const namespaces = peer.at("namespaceSelector");
  if (namespaces.isAbsent === true) return peer.at("podSelector").isPresent;
  return namesValues(namespaces);
}

/** A block has no selector next to it, which the API server refuses. */
function isBlock(peer: Reader): Truth {
  return all(peer.at("podSelector").isAbsent, peer.at("namespaceSelector").isAbsent);
}

function withoutMetadata(block: Reader): Truth {
  const except = block.at("except").each();
  const unknown = except.find((one) => one.state === "unknown")?.path;
  const known = except.flatMap(({ text }) => (text === undefined ? [] : [text]));
  const holds = block.at("cidr").test((cidr) => typeof cidr === "string" && !reachesMetadata(cidr, known));
  return holds === false && unknown !== undefined ? new UnknownTruth([unknown]) : holds;
}

function isNetwork(block: Reader): Truth {
  return block.at("cidr").test((cidr) => typeof cidr === "string" && !isMostOfTheInternet(cidr));
}
