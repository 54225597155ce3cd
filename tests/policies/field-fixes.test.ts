import { describe, expect, it } from "vitest";
import type { Inputs, Resource, Value } from "../../contract/graph.ts";
import type { Finding } from "../../policies/model/evaluate.ts";
import { RULES } from "../../policies/rules/index.ts";
import { altered, DOCKER, outcome, POD_KINDS, podResource, resource, soundDocker, soundPodSpec } from "./support.ts";

const deployment = POD_KINDS[3];
if (deployment === undefined) throw new Error("Deployment is among the kinds");
const pod = (path: readonly (string | number)[], value: Value | undefined) =>
  podResource(deployment, altered(soundPodSpec(), path, value) as Inputs);
const container = (path: readonly (string | number)[], value: Value | undefined) =>
  resource(DOCKER, altered(soundDocker(), path, value) as Inputs);
const first = (path: string, value: Value | undefined) => pod(["containers", 0, ...path.split(".")], value);
const network = (spec: Inputs) =>
  resource("kubernetes:networking.k8s.io/v1:NetworkPolicy", { metadata: { namespace: "exai" }, spec });

/** Faults whose fix is a field: the rule and the faulty resource. */
const FAULTS: readonly (readonly [rule: string, faulty: Resource])[] = [
  ["kubernetes-privileged", first("securityContext.privileged", true)],
  ["kubernetes-privilege-escalation", first("securityContext.allowPrivilegeEscalation", undefined)],
  ["kubernetes-capabilities", first("securityContext.capabilities.drop", [])],
  ["kubernetes-read-only-root", first("securityContext.readOnlyRootFilesystem", false)],
  ["kubernetes-run-as-non-root", first("securityContext.runAsNonRoot", false)],
  ["kubernetes-host-process", first("securityContext.windowsOptions", { hostProcess: true })],
  ["kubernetes-apparmor", first("securityContext.appArmorProfile", { type: "Unconfined" })],
  ["kubernetes-host-namespaces", pod(["hostNetwork"], true)],
  ["kubernetes-host-namespaces", pod(["hostPID"], true)],
  ["kubernetes-service-account-token", pod(["automountServiceAccountToken"], true)],
  ["kubernetes-service-account-token", resource("kubernetes:core/v1:ServiceAccount", { metadata: { name: "a" } })],
  [
    "namespace-pod-security",
    resource("kubernetes:core/v1:Namespace", {
      metadata: {
        labels: {
          "pod-security.kubernetes.io/enforce": "baseline",
          "pod-security.kubernetes.io/enforce-version": "v1.0",
        },
      },
    }),
  ],
  ["network-public-services", resource("kubernetes:core/v1:Service", { spec: { externalIPs: ["192.0.2.1"] } })],
  ["docker-privileged", container(["privileged"], true)],
  ["docker-privileged", container(["devices"], [{ hostPath: "/dev/kvm" }])],
  ["docker-capabilities", container(["capabilities", "drops"], [])],
  ["docker-capabilities", container(["capabilities", "adds"], ["SYS_ADMIN"])],
  ["docker-host-namespaces", container(["pidMode"], "host")],
  ["docker-ports", container(["ports", 0, "ip"], "0.0.0.0")],
  ["docker-ports", container(["publishAllPorts"], true)],
  ["docker-options", container(["runtime"], "kata")],
  ["docker-options", container(["uploads"], [{ file: "/x", source: "/etc/shadow" }])],
  ["docker-options", container(["networksAdvanced"], [{ name: "exai", driverOpts: ["a=b"] }])],
  ["docker-options", container(["logDriver"], "syslog")],
  [
    "docker-options",
    resource("docker:index/volume:Volume", { name: "data", driverOpts: { device: "/", o: "bind", type: "none" } }),
  ],
  ["provider-options", resource("pulumi:providers:kubernetes", { renderYamlToDirectory: "rendered" })],
  ["provider-options", resource("pulumi:providers:kubernetes", { deleteUnreachable: true, context: "a" })],
  [
    "network-gateway-options",
    resource("kubernetes:gateway.envoyproxy.io/v1alpha1:EnvoyProxy", {
      spec: { provider: { kubernetes: { envoyDeployment: { patch: { value: { metadata: { name: "other" } } } } } } },
    }),
  ],
  [
    "kubernetes-admission-webhooks",
    resource("kubernetes:admissionregistration.k8s.io/v1:ValidatingWebhookConfiguration", {
      webhooks: [
        {
          failurePolicy: "Ignore",
          clientConfig: { service: { name: "judge" } },
          namespaceSelector: { matchLabels: { judged: "true" } },
        },
      ],
    }),
  ],
];

/** The path of a place: `spec.containers[0].image`, `labels["a.b/c"]`. */
function pathOf(text: string): (string | number)[] {
  return [...text.matchAll(/\[(\d+)\]|\["([^"]+)"\]|([^.[\]]+)/g)].map(([, index, quoted, name]) =>
    index === undefined ? (quoted ?? name ?? "") : Number(index),
  );
}

/** The resource after the fix: the field at the finding's place is set or removed as the fix says. */
function fixed(faulty: Resource, { fix, place }: Finding): Resource {
  const path = pathOf(place.path);
  const field = /^(?:set|remove) (?:the label )?([^\s:,]+)/.exec(fix)?.[1] ?? "";
  // The fix names the end of the place's path.
  const own = pathOf(field).filter((key) => typeof key === "string");
  const said = own.at(-1) ?? "";
  expect([...path].reverse().includes(said) || place.path.includes(said), `${fix} names the field ${place.path}`).toBe(
    true,
  );
  const at = path.slice(0, path.lastIndexOf(said) + 1);
  const text = /: (.+?)(?:, (?:and|or) .*)?$/.exec(fix)?.[1];
  const value = fix.startsWith("remove") || text === undefined ? undefined : valueOf(text);
  return { ...faulty, inputs: altered(faulty.inputs, at.length > 0 ? at : path, value) as Inputs };
}

function valueOf(text: string): Value {
  try {
    return JSON.parse(text) as Value;
  } catch {
    return text;
  }
}

describe("a fix that is a field", () => {
  it.each(FAULTS.map(([name, faulty]) => [name, faulty.type, faulty] as const))(
    "of %s on %s ends the finding when it is applied",
    (name, _, faulty) => {
      const rule = RULES.find((candidate) => candidate.name === name);
      if (rule === undefined) throw new Error(name);
      const stack = rule.name.startsWith("docker-") ? "local" : "prod";
      let now = faulty;
      const findings = outcome(rule, stack, now).findings;
      expect(findings.length).toBeGreaterThan(0);
      for (const finding of findings) now = fixed(now, finding);
      expect(outcome(rule, stack, now).findings.map(({ message }) => message)).toEqual([]);
    },
  );

  it("of a network policy closes the opening", () => {
    const rule = RULES.find(({ name }) => name === "network-openings");
    if (rule === undefined) throw new Error("network-openings");
    const open = { ipBlock: { cidr: "0.0.0.0/0" } };
    const policy = (peer: Value) => network({ podSelector: {}, egress: [{ to: [peer], ports: [{ port: 443 }] }] });
    const [finding] = outcome(rule, "prod", policy(open)).findings;
    const except = [...(finding?.fix.matchAll(/[\da-f.:]+\/\d+/g) ?? [])].map(([cidr]) => cidr);
    expect(except).toEqual(["169.254.0.0/16", "fc00::/7"]);
    expect(
      outcome(rule, "prod", policy({ ipBlock: { cidr: "0.0.0.0/0", except: ["169.254.0.0/16"] } })).findings,
    ).toEqual([]);
    expect(outcome(rule, "prod", policy({ ipBlock: { cidr: "::/0", except: ["fc00::/7"] } })).findings).toEqual([]);
  });
});
