import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Secret, Unknown, type Inputs, type Resource, type Value } from "../../contract/graph.ts";
import { graphOfState } from "../../policies/pack/state.ts";
import { evaluate } from "../../policies/model/evaluate.ts";
import { RULES } from "../../policies/rules/index.ts";
import { Analyzer, stateOf } from "./analyzer.ts";
import { altered, DOCKER, graph, POD_KINDS, podResource, resource, soundDocker, soundPodSpec } from "./support.ts";

const deployment = POD_KINDS[3];
if (deployment === undefined) throw new Error("Deployment is among the kinds");
const pod = (path: readonly (string | number)[], value: Value | undefined) =>
  podResource(deployment, altered(soundPodSpec(), path, value) as Inputs);
const docker = (path: readonly (string | number)[], value: Value | undefined) =>
  resource(DOCKER, altered(soundDocker(), path, value) as Inputs);

const CASES: readonly (readonly [name: string, resource: Resource])[] = [
  ["a sound pod", pod(["x"], undefined)],
  ["root", pod(["containers", 0, "securityContext", "runAsNonRoot"], false)],
  ["an init container with capabilities", pod(["initContainers", 0, "securityContext", "capabilities"], undefined)],
  ["an ephemeral container that is privileged", pod(["ephemeralContainers", 0, "securityContext", "privileged"], true)],
  ["a tag", pod(["containers", 0, "image"], "ghcr.io/org/exai:1")],
  ["a host path", pod(["volumes", 0], { name: "x", hostPath: { path: "/" } })],
  ["an unknown security context", pod(["containers", 0, "securityContext"], new Unknown("x"))],
  [
    "an unknown value next to a fault",
    altered2(
      pod(["initContainers", 0, "securityContext"], new Unknown("x")),
      ["spec", "template", "spec", "containers", 0, "securityContext", "privileged"],
      true,
    ),
  ],
  ["a literal", pod(["containers", 0, "env"], [{ name: "API_KEY", value: "not-a-path-but-a-key" }])],
  ["a secret in the environment", pod(["containers", 0, "env"], [{ name: "API_KEY", value: new Secret("hidden") }])],
  ["a sound container", docker(["x"], undefined)],
  ["a container on every address", docker(["ports", 0, "ip"], "0.0.0.0")],
  ["the Docker socket", docker(["volumes", 0], { hostPath: "/var/run/docker.sock", containerPath: "/s" })],
  [
    "an unmarked Secret",
    resource("kubernetes:core/v1:Secret", { metadata: { namespace: "exai" }, stringData: { token: "abc" } }),
  ],
  [
    "a marked Secret",
    resource("kubernetes:core/v1:Secret", {
      metadata: { namespace: "exai" },
      stringData: { token: new Secret("abc") },
    }),
  ],
  [
    "a wildcard role",
    resource("kubernetes:rbac.authorization.k8s.io/v1:Role", {
      metadata: { namespace: "exai" },
      rules: [{ apiGroups: ["*"], resources: ["*"], verbs: ["*"] }],
    }),
  ],
  [
    "a public Service",
    resource("kubernetes:core/v1:Service", { metadata: { namespace: "exai" }, spec: { type: "NodePort" } }),
  ],
  [
    "a short retention",
    resource("exai:backups:BackupSchedule", {
      name: "daily",
      kind: "full",
      schedule: "0 2 * * *",
      timeZone: "UTC",
      retentionDays: 3,
    }),
  ],
  ["a project without protection", resource("supabase:index/project:Project", { databasePassword: new Secret("x") })],
];

function altered2(one: Resource, path: readonly (string | number)[], value: Value): Resource {
  return { ...one, inputs: altered(one.inputs, path, value) as Inputs };
}

/** The rules and places of the findings of a lane. */
function planLane(one: Resource): string[] {
  return verdicts(graph("prod", one).resources);
}

function auditLane(one: Resource): string[] {
  return verdicts(graphOfState(stateOf([one]), "state.json").resources);
}

function verdicts(resources: readonly Resource[]): string[] {
  const context = { graph: { project: "exai", stack: "prod", resources, outputs: {} }, environment: "prod" as const };
  return evaluate(
    RULES.filter((rule) => rule.scope === "resource"),
    context,
    new Error("not asked"),
  )
    .flatMap((outcome) => outcome.findings)
    .map((finding) => `${finding.policy}: ${finding.message}`)
    .sort();
}

describe("the three lanes", () => {
  let pack: Analyzer;

  beforeAll(async () => {
    pack = await Analyzer.start(fileURLToPath(new URL("../../policies/", import.meta.url)));
  });

  afterAll(() => {
    pack.stop();
  });

  const engineLane = async (one: Resource): Promise<string[]> =>
    (await pack.resource(one))
      .map(({ policy, message }) => {
        // The message for the engine is "thing path: message (fix: …)".
        const ours = message.slice(message.lastIndexOf("\nthing") + 1);
        return `${policy}: ${/^\S+(?: \S+)?: (.*) \(fix: /s.exec(ours)?.[1] ?? message}`;
      })
      .sort();

  it.each(CASES)("agree about %s", async (_, one) => {
    const plan = planLane(one);
    expect(await engineLane(one)).toEqual(plan);
    expect(auditLane(one)).toEqual(plan);
  });

  it("the cases cover many rules", () => {
    const rules = CASES.flatMap(([, one]) => planLane(one)).map((verdict) => verdict.split(":")[0]);
    expect(new Set(rules).size).toBeGreaterThan(12);
  });

  it("the pack starts without a compiler", () => {
    expect(pack.boot).toBeLessThan(20_000);
  });
});
