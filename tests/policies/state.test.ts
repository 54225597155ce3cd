import { describe, expect, it } from "vitest";
import { graphOfState } from "../../policies/pack/state.ts";
import { RULES } from "../../policies/rules/index.ts";
import { DOCKER, outcomeIn, soundDocker } from "./support.ts";

const SECRET = { "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270" };

const graphOf = (entry: Record<string, unknown>) =>
  graphOfState(
    JSON.stringify({
      version: 3,
      deployment: {
        resources: [
          { urn: "urn:pulumi:local::exai::pulumi:pulumi:Stack::exai-local", type: "pulumi:pulumi:Stack" },
          { urn: `urn:pulumi:local::exai::${DOCKER}::one`, type: DOCKER, custom: true, ...entry },
        ],
      },
    }),
    "state.json",
  );

describe("a state file", () => {
  it.each([
    ["project:///components/core/files.ts#60,19", "components/core/files.ts", 60],
    ["project:///file:/home/ci/exai/components/core/files.ts#60,19", "components/core/files.ts", 60],
    ["project:///file:///C:/exai/stacks/local.ts#7,1", "stacks/local.ts", 7],
    ["project:///index.ts#3,1", "index.ts", 3],
  ])("%s is a place in the project", (sourcePosition, file, line) => {
    expect(graphOf({ sourcePosition, inputs: {} }).resources[0]?.source).toEqual({ file, line });
  });

  it("has a stack and its resources, without the resource of the stack", () => {
    const graph = graphOf({ inputs: soundDocker() });
    expect([graph.stack, graph.project, graph.resources.map((resource) => resource.name)]).toEqual([
      "local",
      "exai",
      ["one"],
    ]);
  });

  it("with encrypted secrets defers their places, and with plain secrets does not", () => {
    const rule = RULES.find((candidate) => candidate.name === "service-role-key");
    if (rule === undefined) throw new Error("the rule is among the pack's");
    const labels = [{ label: "exai.component", value: "router" }];
    const uploads = (value: Record<string, unknown>) =>
      outcomeIn(rule, graphOf({ inputs: { ...soundDocker(), labels, uploads: { ...SECRET, ...value } } }));
    const files = (file: string) => ({ plaintext: JSON.stringify([{ file, content: "x" }]) });
    const [encrypted, sound, unsound] = [
      uploads({ ciphertext: "v1:abc" }),
      uploads(files("/run/secrets/exai/grafana-admin")),
      uploads(files("/run/secrets/exai/supabase-service-role-key")),
    ];
    expect([encrypted.findings.length, encrypted.deferred.length]).toEqual([0, 1]);
    expect([sound.findings.length, sound.deferred.length]).toEqual([0, 0]);
    expect(unsound.findings).toHaveLength(1);
  });
});
