import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { UserErrors } from "../../contract/errors.ts";
import { Unknown, type Inputs, type Resource } from "../../contract/graph.ts";
import { readExceptions } from "../../policies/model/exceptions.ts";
import { kindsFile, parseKinds } from "../../policies/model/kinds.ts";
import { withManifests } from "../../policies/reading/kubernetes/manifests.ts";
import { podsOf } from "../../policies/reading/kubernetes/pods.ts";
import { subjectOf } from "../../policies/model/rule.ts";
import { judgeStack } from "../../policies/report/model.ts";
import { RULES } from "../../policies/rules/index.ts";
import { graph, outcome, resource } from "./support.ts";

const NOW = new Date("2026-11-22T12:00:00Z");
const RELEASE = "kubernetes:helm.sh/v3:Release";
const rule = RULES.find(({ name }) => name === "unknown-kind");
if (rule === undefined) throw new Error("unknown-kind");

const judged = (...resources: readonly Resource[]) =>
  outcome(rule, "prod", ...resources).findings.map(({ place }) => place.resource?.type);

const BAD_POD = `apiVersion: v1
kind: Pod
metadata: { name: bad, namespace: exai }
spec: { hostNetwork: true, containers: [{ name: a, image: example.com/a:1, securityContext: { privileged: true } }] }
`;

/** A folder with a file of declared kinds. */
function project(kinds: string): { root: string; end: () => void } {
  const root = mkdtempSync(join(tmpdir(), "exai-kinds-"));
  mkdirSync(join(root, "policies"));
  writeFileSync(join(root, "policies/kinds.yaml"), kinds);
  return {
    root,
    end: () => {
      rmSync(root, { recursive: true });
    },
  };
}

function judgedWith(kinds: string, stack: string, ...resources: readonly Resource[]) {
  const { root, end } = project(kinds);
  try {
    const exceptions = readExceptions(
      root,
      RULES.map(({ name }) => name),
      NOW,
    );
    return judgeStack(RULES, graph(stack, ...resources), new Error("not read"), exceptions);
  } finally {
    end();
  }
}

const entry = (changes: Readonly<Record<string, string>> = {}) => {
  const fields = {
    type: RELEASE,
    stacks: "[prod]",
    reason: "Installs the agent of the platform team",
    ...changes,
  };
  return `kinds:\n  - ${Object.entries(fields)
    .map(([key, value]) => `${key}: ${value}`)
    .join("\n    ")}\n`;
};

describe("kinds that no rule understands", () => {
  it.each([
    [RELEASE, { chart: "agent" }],
    ["kubernetes:helm.sh/v4:Chart", { chart: "oci://example.com/agent" }],
    ["kubernetes:kustomize/v2:Directory", { directory: "deploy" }],
    ["kubernetes:yaml/v2:ConfigFile", { file: "https://example.com/a.yaml" }],
    ["kubernetes:apps/v1:DeploymentPatch", { spec: {} }],
    ["kubernetes:core/v1:Endpoints", {}],
    ["kubernetes:apiregistration.k8s.io/v1:APIService", {}],
    ["kubernetes:serving.knative.dev/v1:Service", {}],
    ["kubernetes:example.com/v1:Role", {}],
    ["kubernetes:gateway.networking.k8s.io/v1beta1:ReferenceGrant", {}],
    ["kubernetes:policy.networking.k8s.io/v1alpha1:AdminNetworkPolicy", {}],
    ["command:local:Command", { create: "true" }],
    ["pulumi-nodejs:dynamic:Resource", {}],
    ["pulumi:providers:command", {}],
    ["docker:index/service:Service", {}],
    ["docker:index/plugin:Plugin", {}],
    ["docker:index/image:Image", {}],
    ["kubectl:index/manifest:Manifest", {}],
    ["exai:other:Custom", {}, { custom: true }],
    ["kubernetes:core/v1:ConfigMap", { apiVersion: "v1", kind: "Pod" }],
    ["kubernetes:core/v1:ConfigMap", { apiVersion: "apps/v1", kind: "ConfigMap" }],
  ] as [string, Inputs, { custom?: boolean }?][])("%s %j is a finding", (type, inputs, extra = {}) => {
    expect(judged(resource(type, inputs, extra))).toEqual([type]);
  });

  it.each([
    ["kubernetes:apps/v1:Deployment", { apiVersion: "apps/v1", kind: "Deployment" }],
    ["kubernetes:v1:Pod", { apiVersion: "v1", kind: "Pod" }],
    ["kubernetes:batch/v1beta1:CronJob", {}],
    ["kubernetes:core/v1:PodList", {}],
    ["exai:server:DockerServer", {}],
  ] as const)("%s %j is understood", (type, inputs) => {
    expect(judged(resource(type, inputs))).toEqual([]);
  });

  it("are accepted when the project names them with a reason, in the stacks that it names", () => {
    const release = resource(RELEASE, { chart: "agent" });
    const report = judgedWith(entry(), "prod", release);
    expect(report.findings.filter(({ policy }) => policy === "unknown-kind")).toEqual([]);
    expect(report.waived).toMatchObject([
      { policy: "unknown-kind", waiver: { reason: "Installs the agent of the platform team" } },
    ]);
    expect(judgedWith(entry({ stacks: "[staging]" }), "prod", release).waived).toEqual([]);
  });

  it("an entry that no resource of its stack needs is a violation", () => {
    expect(judgedWith(entry(), "prod").findings).toContainEqual(
      expect.objectContaining({
        policy: "unknown-kind",
        level: "mandatory",
        source: { file: "policies/kinds.yaml", line: 2 },
      }),
    );
    expect(judgedWith(entry(), "staging").findings.filter(({ policy }) => policy === "unknown-kind")).toEqual([]);
  });

  it.each([
    ["no reason", entry({ reason: "" }), "reason"],
    ["a reason of one word", entry({ reason: "x".repeat(30) }), "three words"],
    ["no stack", entry({ stacks: "[]" }), "stacks"],
    ["a pattern instead of a type", entry({ type: '"kubernetes:*:*"' }), "type token"],
    ["an unknown key", entry({ until: "2027-01-01" }), "until"],
    ["another structure", "kinds: all\n", "kinds"],
    ["a second entry of one type", `${entry()}${entry().replace("kinds:\n", "")}`, "second time"],
    ["invalid YAML", "kinds: [\n", "YAML"],
  ])("a file with %s is refused with its line", (_, text, problem) => {
    let message = "";
    try {
      parseKinds(text);
    } catch (error) {
      if (error instanceof UserErrors) message = error.message;
    }
    expect(message).toContain(problem);
    expect(message).toMatch(/policies\/kinds\.yaml:\d+/);
  });

  it("have a JSON schema, and the project's file is valid", () => {
    const at = (path: string) => readFileSync(new URL(`../../policies/${path}`, import.meta.url), "utf8");
    expect(JSON.parse(at("model/kinds.schema.json"))).toEqual(z.toJSONSchema(kindsFile));
    expect(parseKinds(at("kinds.yaml"))).toEqual([]);
  });
});

describe("manifests", () => {
  const rendered = (type: string, inputs: Inputs, root = "/none") =>
    withManifests(graph("prod", resource(type, inputs)), root).resources;

  it("are judged as the objects that they contain: literal YAML, objects, lists and files of the project", () => {
    const { root, end } = project("kinds: []\n");
    writeFileSync(join(root, "pods.yaml"), `${BAD_POD}---\n${BAD_POD.replace("bad", "worse")}`);
    const list = {
      apiVersion: "v1",
      kind: "List",
      items: [{ apiVersion: "v1", kind: "Pod", metadata: { name: "x" } }],
    };
    const group = "kubernetes:yaml/v2:ConfigGroup";
    const names = (...given: Parameters<typeof rendered>) =>
      rendered(...given).map(({ type, name }) => `${type} ${name}`);
    expect(names(group, { yaml: BAD_POD })).toEqual(["kubernetes:core/v1:Pod thing/Pod/bad"]);
    expect(names(group, { objs: [list] })).toEqual(["kubernetes:core/v1:Pod thing/Pod/x"]);
    expect(names(group, { files: ["*.yaml"] }, root)).toHaveLength(2);
    expect(names("kubernetes:yaml/v2:ConfigFile", { file: "pods.yaml" }, root)).toHaveLength(2);
    expect(
      names("kubernetes:rbac.authorization.k8s.io/v1:RoleList", { items: [{ metadata: { name: "r" }, rules: [] }] }),
    ).toEqual(["kubernetes:rbac.authorization.k8s.io/v1:Role thing/Role/r"]);
    end();
    const report = judgeStack(
      RULES,
      withManifests(graph("prod", resource(group, { yaml: BAD_POD })), root),
      new Error("not read"),
    );
    expect(report.findings.map(({ policy }) => policy)).toEqual(
      expect.arrayContaining(["kubernetes-privileged", "kubernetes-host-namespaces"]),
    );
  });

  it.each([
    ["a URL", { files: ["https://example.com/a.yaml"] }],
    ["a file that does not exist", { files: ["none.yaml"] }],
    ["text that is unknown before apply", { yaml: new Unknown("yaml") }],
    ["objects that are unknown before apply", { objs: [new Unknown("objs[0]")] }],
    ["text that is not YAML", { yaml: "a: [" }],
    ["text without an object", { yaml: "just words" }],
  ])("with %s stay a finding, next to the objects that can be read", (_, inputs) => {
    const made = rendered("kubernetes:yaml/v2:ConfigGroup", {
      ...inputs,
      ...("yaml" in inputs ? {} : { yaml: BAD_POD }),
    });
    expect(made.map(({ type }) => type)).toContain("kubernetes:yaml/v2:ConfigGroup");
    expect(judged(...made)).toEqual(["kubernetes:yaml/v2:ConfigGroup"]);
    if (!("yaml" in inputs)) expect(made).toHaveLength(2);
  });

  it("do not repeat an object that the engine has registered", () => {
    const group = resource("kubernetes:yaml/v2:ConfigGroup", { yaml: BAD_POD });
    const pod = resource("kubernetes:core/v1:Pod", { metadata: { name: "bad" } }, { name: "g:bad", parent: group.urn });
    expect(withManifests(graph("prod", group, pod), "/").resources).toEqual([pod]);
  });
});

describe("pods of custom resources", () => {
  const bad = { name: "a", image: "example.com/a:1", securityContext: { privileged: true } };
  const podsIn = (spec: Inputs, type = "kubernetes:example.com/v1:Thing") =>
    podsOf(subjectOf(resource(type, { spec })));

  it.each([
    ["spec.template", { template: { spec: { containers: [bad] } } }],
    ["a deeper template", { jobs: [{ template: { spec: { template: { spec: { containers: [bad] } } } } }] }],
    ["a spec under another name", { podSpec: { initContainers: [bad] } }],
    ["a container that stands alone", { templates: [{ name: "a", container: bad }] }],
    ["a patch of a pod", { patch: { value: { spec: { containers: [bad] } } } }],
  ])("are found by their shape: %s", (_, spec) => {
    expect(podsIn(spec).flatMap(({ containers }) => containers.map(({ reader }) => reader.at("image").text))).toEqual([
      "example.com/a:1",
    ]);
  });

  it("host paths and host namespaces are found without a container", () => {
    expect(podsIn({ pod: { volumes: [{ name: "h", hostPath: { path: "/" } }] } })).toHaveLength(1);
    expect(podsIn({ pod: { hostPID: true } })).toHaveLength(1);
    expect(podsIn({ selector: { image: "x" }, volumes: [{ name: "data" }] })).toEqual([]);
  });
});
