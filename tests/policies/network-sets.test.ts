import { describe, expect, it } from "vitest";
import { Unknown, type Inputs, type Resource, type Value } from "../../contract/graph.ts";
import { RULES } from "../../policies/rules/index.ts";
import { addressOf, contains } from "../../policies/reading/addresses.ts";
import { outcome, resource, soundPodSpec } from "./support.ts";

const judged = (name: string, ...resources: readonly Resource[]) => {
  const rule = RULES.find((candidate) => candidate.name === name);
  if (rule === undefined) throw new Error(name);
  return outcome(rule, "prod", ...resources);
};
const found = (name: string, ...resources: readonly Resource[]) =>
  judged(name, ...resources).findings.map(({ place }) => place.path);
const policy = (spec: Inputs) =>
  resource("kubernetes:networking.k8s.io/v1:NetworkPolicy", { metadata: { name: "p", namespace: "exai" }, spec });
const egress = (peer: Value, port: Value = { port: 443 }) =>
  found(
    "network-openings",
    policy({ podSelector: {}, policyTypes: ["Egress"], egress: [{ to: [peer], ports: [port] }] }),
  );
const ingress = (peer: Value) =>
  found("network-openings", policy({ podSelector: {}, ingress: [{ from: [peer], ports: [{ port: 8080 }] }] }));
const TO = ["spec.egress[0].to[0]"];

describe("openings are compared as sets", () => {
  it.each([
    "169.254.169.254/32",
    "169.254.169.254/24",
    "169.0.0.0/8",
    "128.0.0.0/1",
    "169.254.170.0/30",
    "0169.254.169.0/24",
    "fd00:ec2::/32",
    "fd00:0ec2:0::254/128",
    "fc00::/7",
    "::ffff:169.254.169.254/128",
    "64:ff9b::a9fe:a9fe/128",
    "fd20:ce::254/128",
    "100.100.100.192/27",
    "168.63.129.16/32",
    "192.0.0.192/32",
    "fe80::a9fe:a9fe/128",
    "not a block",
    "10.0.0.1",
  ])("egress to %s reaches cloud metadata, or is malformed", (cidr) => {
    expect(egress({ ipBlock: { cidr } })).toEqual(TO);
  });

  it.each([
    ["10.0.0.0/8", []],
    ["100.64.0.0/10", []],
    ["192.0.0.0/16", []],
    ["169.254.20.10/32", []],
    ["169.254.0.0/16", ["169.254.128.0/17"]],
    ["0.0.0.0/0", ["169.254.0.0/16"]],
    ["0.0.0.0/0", ["169.254.169.254/32", "169.254.170.0/24"]],
    ["::/0", ["fd00::/8"]],
  ])("egress to %s without %j does not", (cidr, except) => {
    expect(egress({ ipBlock: { cidr, except } })).toEqual([]);
  });

  it("an exception of other addresses excludes nothing, and one that is unknown is deferred", () => {
    expect(egress({ ipBlock: { cidr: "0.0.0.0/0", except: ["169.254.168.0/24"] } })).toEqual(TO);
    const open = { ipBlock: { cidr: "0.0.0.0/0", except: [new Unknown("except[0]")] } };
    const spec = { podSelector: {}, egress: [{ to: [open], ports: [{ port: 443 }] }] };
    const result = judged("network-openings", policy(spec));
    expect([result.findings.length, result.deferred.length]).toEqual([0, 1]);
  });

  it.each([
    {},
    { matchLabels: {} },
    { matchExpressions: [{ key: "kubernetes.io/metadata.name", operator: "Exists" }] },
    { matchExpressions: [{ key: "team", operator: "NotIn", values: ["a"] }] },
    { matchExpressions: [{ key: "team", operator: "In", values: [] }] },
  ])("the namespaces of %j are not named", (namespaceSelector) => {
    expect(egress({ namespaceSelector })).toEqual(TO);
    expect(egress({ namespaceSelector, podSelector: { matchLabels: { a: "b" } } })).toEqual(TO);
  });

  it("namespaces are named by a value", () => {
    expect(egress({ namespaceSelector: { matchLabels: { team: "a" } } })).toEqual([]);
    const expression = { key: "kubernetes.io/metadata.name", operator: "In", values: ["monitoring"] };
    expect(egress({ namespaceSelector: { matchExpressions: [expression] } })).toEqual([]);
    expect(egress({ podSelector: {} })).toEqual([]);
  });

  it("an entry opens a port or a small range", () => {
    const peer = { podSelector: {} };
    for (const port of [{ protocol: "TCP" }, { port: 1, endPort: 65535 }, { port: "http", endPort: 90 }])
      expect(egress(peer, port), JSON.stringify(port)).toEqual(["spec.egress[0].ports[0]"]);
    for (const port of [{ port: "http" }, { port: 8000, endPort: 8010 }]) expect(egress(peer, port)).toEqual([]);
  });

  it("entries are counted together, by their protocol", () => {
    const rule = (...ports: readonly Value[]) =>
      found("network-openings", policy({ podSelector: {}, egress: [{ to: [{ podSelector: {} }], ports }] }));
    const ranges = Array.from({ length: 40 }, (_, index) => ({ port: 1 + index * 500, endPort: 500 + index * 500 }));
    expect(rule(...ranges)).toEqual(["spec.egress[0].ports"]);
    expect(rule(...ranges.map(() => ({ port: 8000, endPort: 8999 })))).toEqual([]);
    expect(rule({ port: 8000, endPort: 8800 }, { port: 8000, endPort: 8800, protocol: "UDP" })).toEqual([]);
  });

  it("blocks that are small one by one are most of the internet together", () => {
    const from = (...cidrs: readonly string[]) =>
      found(
        "network-openings",
        policy({
          podSelector: {},
          ingress: [{ from: cidrs.map((cidr) => ({ ipBlock: { cidr } })), ports: [{ port: 8080 }] }],
        }),
      );
    const eights = Array.from({ length: 32 }, (_, index) => `${index + 1}.0.0.0/8`);
    expect(from(...eights)).toEqual(["spec.ingress[0].from"]);
    expect(from(...eights.map(() => "10.0.0.0/8"), "172.16.0.0/12", "192.168.0.0/16", "2001:db8::/32")).toEqual([]);
  });

  it("ingress does not come from most of the internet", () => {
    expect(ingress({ ipBlock: { cidr: "0.0.0.0/0", except: ["169.254.0.0/16"] } })).toEqual([
      "spec.ingress[0].from[0]",
    ]);
    expect(ingress({ ipBlock: { cidr: "64.0.0.0/2" } })).toEqual(["spec.ingress[0].from[0]"]);
    expect(ingress({ ipBlock: { cidr: "192.0.2.0/24" } })).toEqual([]);
  });

  it("blocks contain what Go's parser says", () => {
    const within = (block: string, other: string) => {
      const [a, b] = [addressOf(block), addressOf(other)];
      return a !== undefined && b !== undefined && contains(a, b);
    };
    expect(within("10.0.0.0/8", "10.1.0.0/16")).toBe(true);
    expect(within("10.1.0.0/16", "10.0.0.0/8")).toBe(false);
    expect(within("10.0.0.0/8", "010.0.0.1")).toBe(true);
    expect(within("::/0", "10.0.0.1")).toBe(false);
    expect(addressOf("10.0.0")).toBeUndefined();
  });
});

describe("traffic is denied by default", () => {
  const pod = resource("kubernetes:core/v1:Pod", { metadata: { namespace: "exai" }, spec: soundPodSpec() });
  const deny = (policyTypes: Value, podSelector: Value = {}) => policy({ podSelector, policyTypes });

  it("by one policy for each direction, however it selects all pods", () => {
    expect(found("network-default-deny", pod, deny(["Ingress"]), deny(["Egress"]))).toEqual([]);
    const all = { matchLabels: {}, matchExpressions: [] };
    expect(found("network-default-deny", pod, deny(["Ingress", "Egress"], all))).toEqual([]);
    expect(found("network-default-deny", pod, policy({ podSelector: {} }), deny(["Egress"]))).toEqual([]);
  });

  it("not by policies that leave a direction or a pod open, nor by another API's", () => {
    expect(found("network-default-deny", pod, deny(["Ingress"]), deny(["Ingress"]))).toHaveLength(1);
    const some = { matchExpressions: [{ key: "a", operator: "DoesNotExist" }] };
    expect(found("network-default-deny", pod, deny(["Ingress", "Egress"], some))).toHaveLength(1);
    const other = { ...deny(["Ingress", "Egress"]), type: "kubernetes:crd.projectcalico.org/v1:NetworkPolicy" };
    expect(found("network-default-deny", pod, other)).toHaveLength(1);
  });
});

describe("what reaches the stack from outside", () => {
  const gateway = (listener: Inputs) =>
    resource("kubernetes:gateway.networking.k8s.io/v1:Gateway", {
      metadata: { name: "g", namespace: "exai" },
      spec: { listeners: [{ name: "l", ...listener }] },
    });
  const route = (kind: string, rules: Value) =>
    resource(`kubernetes:gateway.networking.k8s.io/v1:${kind}`, {
      metadata: { name: "r", namespace: "exai" },
      spec: { parentRefs: [{ name: "g" }], rules },
    });
  const redirect = route("HTTPRoute", [
    { filters: [{ type: "RequestRedirect", requestRedirect: { scheme: "https" } }] },
  ]);

  it("a route that redirects does not excuse a listener of TCP, nor a TCPRoute next to it", () => {
    expect(found("network-tls", gateway({ protocol: "HTTP" }), redirect)).toEqual([]);
    expect(found("network-tls", gateway({ protocol: "TCP" }), redirect)).toHaveLength(1);
    const raw = route("TCPRoute", [{ backendRefs: [{ name: "server", port: 8080 }] }]);
    expect(found("network-tls", gateway({ protocol: "HTTP" }), redirect, raw)).toHaveLength(1);
  });

  it("a label does not make a Service the gateway's", () => {
    const service = resource("kubernetes:core/v1:Service", {
      metadata: { name: "s", namespace: "exai", labels: { "exai.component": "router" } },
      spec: { type: "LoadBalancer" },
    });
    expect(found("network-public-services", service)).toEqual(["spec.type"]);
  });

  it("a namespace enforces a version of the profile that has all checks", () => {
    const namespace = (version: string) =>
      resource("kubernetes:core/v1:Namespace", {
        metadata: {
          labels: {
            "pod-security.kubernetes.io/enforce": "restricted",
            "pod-security.kubernetes.io/enforce-version": version,
          },
        },
      });
    for (const version of ["v1.0", "v1.24", "1.30", ""])
      expect(found("namespace-pod-security", namespace(version)), version).toHaveLength(1);
    for (const version of ["latest", "v1.25", "v1.34"])
      expect(found("namespace-pod-security", namespace(version)), version).toEqual([]);
  });

  const patch = (spec: Value): Value => ({
    provider: { kubernetes: { envoyDeployment: { patch: { value: { spec: { template: { spec } } } } } } },
  });

  it("a patch of the gateway's proxies may change its probes, and makes no pod to judge", () => {
    const proxy = (spec: Value) =>
      resource("kubernetes:gateway.envoyproxy.io/v1alpha1:EnvoyProxy", { spec: patch(spec) });
    const patient = proxy({
      containers: [{ name: "envoy", readinessProbe: { timeoutSeconds: 5, failureThreshold: 3 } }],
    });
    for (const rule of ["network-gateway-options", "kubernetes-capabilities", "image-digests"])
      expect(found(rule, patient), rule).toEqual([]);
    const own = (image: string) =>
      resource("kubernetes:gateway.envoyproxy.io/v1alpha1:EnvoyProxy", {
        spec: { provider: { kubernetes: { envoyDeployment: { container: { image, resources: {} } } } } },
      });
    const pinned = own(`docker.io/envoyproxy/envoy@sha256:${"0".repeat(64)}`);
    for (const rule of ["network-gateway-options", "kubernetes-capabilities", "image-digests", "image-registries"])
      expect(found(rule, pinned), rule).toEqual([]);
    expect(found("image-digests", own("docker.io/envoyproxy/envoy:v1.40.0"))).toHaveLength(1);
    expect(found("image-registries", own("example.com/envoy:1"))).toHaveLength(1);
    const strong = proxy({ containers: [{ name: "envoy", securityContext: { privileged: true } }] });
    expect(found("kubernetes-capabilities", strong)).toHaveLength(1);
  });

  it.each([
    [
      "EnvoyProxy",
      { provider: { kubernetes: { envoyDeployment: { container: { securityContext: { privileged: true } } } } } },
    ],
    ["EnvoyProxy", { provider: { kubernetes: { envoyDeployment: { patch: { value: {} }, initContainers: [{}] } } } }],
    ["EnvoyProxy", patch({ hostNetwork: true })],
    ["EnvoyProxy", patch({ containers: [{ name: "envoy", securityContext: { privileged: true } }] })],
    ["EnvoyProxy", patch({ containers: [{ name: "envoy", readinessProbe: { exec: { command: ["sh"] } } }] })],
    ["EnvoyProxy", patch({ containers: [{ name: "other", resources: {} }] })],
    ["EnvoyProxy", { provider: { type: "Host" } }],
    ["EnvoyProxy", { bootstrap: { value: "static_resources: {}" } }],
    ["EnvoyExtensionPolicy", { wasm: [{ code: { http: { url: "https://example.com/x.wasm" } } }] }],
    ["EnvoyExtensionPolicy", { extProc: [{ backendRefs: [{ name: "x" }] }] }],
    ["SecurityPolicy", { extAuth: { http: { backendRefs: [{ name: "x" }] } } }],
    ["ClientTrafficPolicy", { headers: { enableEnvoyHeaders: true } }],
    ["ClientTrafficPolicy", { path: { escapedSlashesAction: "KeepUnchanged" } }],
  ])("options of a %s are understood, or a finding: %j", (kind, spec) => {
    expect(
      found("network-gateway-options", resource(`kubernetes:gateway.envoyproxy.io/v1alpha1:${kind}`, { spec })).length,
    ).toBeGreaterThan(0);
  });
});

describe("what leads out of the cluster, or runs in the proxies of others", () => {
  const service = (spec: Inputs) => found("network-public-services", resource("kubernetes:core/v1:Service", { spec }));
  const ingressWith = (annotations: Inputs) =>
    found(
      "network-ingress-options",
      resource("kubernetes:networking.k8s.io/v1:Ingress", { metadata: { name: "i", annotations } }),
    );

  it("is not a Service with the name of another server", () => {
    expect(service({ type: "ExternalName", externalName: "metadata.google.internal" })).toEqual(["spec.type"]);
    expect(service({ clusterIP: "None", selector: { app: "a" }, ports: [{ port: 80 }] })).toEqual([]);
  });

  it("is not an annotation of an Ingress that the rules do not understand", () => {
    for (const name of ["server-snippet", "auth-url", "mirror-target", "a-new-option"])
      expect(ingressWith({ [`nginx.ingress.kubernetes.io/${name}`]: "x" }), name).toHaveLength(1);
    for (const name of ["force-ssl-redirect", "proxy-body-size", "limit-rps", "enable-cors"])
      expect(ingressWith({ [`nginx.ingress.kubernetes.io/${name}`]: "x" }), name).toEqual([]);
    expect(ingressWith({ "cert-manager.io/cluster-issuer": "public-issuer" })).toEqual([]);
  });
});
