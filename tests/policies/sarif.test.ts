import schema from "@microsoft/jest-sarif/lib/schemas/sarif-2.1.0-rtm.5.json" with { type: "json" };
import Ajv from "ajv-draft-04";
import formats from "ajv-formats";
import { describe, expect, it } from "vitest";
import type { Finding } from "../../policies/model/evaluate.ts";
import { judgeStack, type StackReport } from "../../policies/report/model.ts";
import { renderSarif } from "../../policies/report/sarif.ts";
import { RULES } from "../../policies/rules/index.ts";
import { parseWaivers, Waivers } from "../../policies/model/waivers.ts";
import { DOCKER, graph, resource, soundDocker } from "./support.ts";

// One pattern of the schema is not a valid Unicode expression.
const ajv = new Ajv.default({ strict: false, allErrors: true, unicodeRegExp: false });
formats.default(ajv);
const valid = ajv.compile(schema);
const errors = (text: string) => {
  valid(JSON.parse(text));
  return (valid.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message ?? ""}`);
};

const NOW = new Date("2026-11-22T12:00:00Z");
const WAIVER = `waivers:
  - policy: docker-read-only-root
    stack: local
    resource: first
    type: docker:index/container:Container
    reason: Its program writes next to itself
    owner: platform
    expires: 2027-01-31
`;
const container = (name: string, file: string) =>
  resource(
    DOCKER,
    { ...soundDocker(), readOnly: false, envs: ["API_KEY=hunter2hunter2"] },
    {
      name,
      urn: `urn:pulumi:local::exai::${DOCKER}::${name}`,
      source: { file, line: 0 },
    },
  );
const report = (): StackReport =>
  judgeStack(
    RULES,
    graph("local", container("first", "components/a b.ts"), container("second", "components/ü.ts")),
    new Error("no database here"),
    new Waivers(
      parseWaivers(
        WAIVER,
        RULES.map((rule) => rule.name),
        NOW,
      ),
      NOW,
    ),
  );

describe("SARIF", () => {
  it("validates against the schema 2.1.0, with findings, waivers and inconclusive rules", () => {
    const one = report();
    // The report must contain one of each kind for the schema to check.
    expect(one.findings.length).toBeGreaterThan(1);
    expect(one.waived).toHaveLength(1);
    expect(one.rules.some((rule) => rule.inconclusive !== undefined)).toBe(true);
    expect(errors(renderSarif([one], RULES))).toEqual([]);
    expect(errors(renderSarif([one, { ...one, stack: "prod" }], RULES))).toEqual([]);
    expect(errors(renderSarif([], RULES))).toEqual([]);
  });

  it("is rejected by the schema with an invalid level", () => {
    const log = JSON.parse(renderSarif([report()], RULES)) as { runs: { results: Record<string, unknown>[] }[] };
    const first = log.runs[0]?.results[0];
    if (first === undefined) throw new Error("there is a result");
    first.level = "mandatory" satisfies Finding["level"];
    expect(errors(JSON.stringify(log))).not.toEqual([]);
  });

  it("does not show a secret value", () => {
    expect(renderSarif([report()], RULES)).not.toContain("hunter2");
  });
});
