import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { UserErrors } from "../../contract/errors.ts";
import { judgeStack } from "../../policies/report/model.ts";
import { renderSarif } from "../../policies/report/sarif.ts";
import { RULES } from "../../policies/rules/index.ts";
import { parseWaivers, Waivers, waiversFile } from "../../policies/model/waivers.ts";
import { DOCKER, graph, resource, soundDocker } from "./support.ts";

const NOW = new Date("2026-11-22T12:00:00Z");
const NAMES = RULES.map((rule) => rule.name);
const entry = (changes: Record<string, string | undefined> = {}) => {
  const fields: Record<string, string | undefined> = {
    policy: "docker-read-only-root",
    stack: "local",
    type: DOCKER,
    resource: "old",
    reason: "Its program writes next to itself",
    owner: "platform",
    expires: "2027-01-31",
    ...changes,
  };
  const lines = Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([key, value], index) => `${index === 0 ? "  - " : "    "}${key}: "${value ?? ""}"`);
  return `# head\nwaivers:\n${lines.join("\n")}\n`;
};
/** Eight levels of nine aliases each: 43 million elements. */
const ALIASES = `a0: &a0 [x]\n${Array.from({ length: 8 }, (_, n) => `a${n + 1}: &a${n + 1} [${Array(9).fill(`*a${n}`).join(", ")}]`).join("\n")}\nwaivers: []\n`;
const container = (parents = "") => ({
  ...resource(DOCKER, { ...soundDocker(), readOnly: false }, { name: "old" }),
  urn: `urn:pulumi:local::exai::${parents}${DOCKER}::old`,
});
const judged = (text: string, stack = "local", one = container()) =>
  judgeStack(RULES, graph(stack, one), new Error("no database"), new Waivers(parseWaivers(text, NAMES, NOW), NOW));
const refusals = (text: string): string[] => {
  try {
    parseWaivers(text, NAMES, NOW);
    return [];
  } catch (error) {
    if (error instanceof UserErrors) return error.errors.map((single) => single.render());
    throw error;
  }
};

describe("waivers", () => {
  it("except one finding of one resource of one stack, and are reported", () => {
    const report = judged(entry());
    expect(report.findings.filter((finding) => finding.policy === "docker-read-only-root")).toEqual([]);
    expect(report.waived).toMatchObject([
      { policy: "docker-read-only-root", subject: "old", waiver: { owner: "platform", expires: "2027-01-31" } },
    ]);
    expect(report.findings.filter((finding) => finding.policy === "waivers")).toEqual([]);
    const sarif = JSON.parse(renderSarif([report], RULES)) as { runs: { results: { suppressions?: unknown[] }[] }[] };
    expect(sarif.runs[0]?.results.filter((result) => result.suppressions !== undefined)).toHaveLength(1);
  });

  it("except a resource of one type, and not another of its name", () => {
    expect(judged(entry({ type: "docker:index/volume:Volume" })).waived).toEqual([]);
    expect(judged(entry({ type: undefined })).waived).toEqual([]);
  });

  it("match a component by its type at any depth", () => {
    const text = entry({ type: undefined, resource: undefined, component: "exai:server:DockerServer" });
    expect(judged(text, "local", container("exai:server:DockerServer$exai:x:Y$")).waived).toHaveLength(1);
    expect(judged(text, "local", container("exai:other:Other$")).waived).toHaveLength(0);
  });

  it("that have expired except nothing, and are violations", () => {
    const report = judged(entry({ expires: "2026-11-21" }));
    expect(report.waived).toEqual([]);
    expect(report.findings.map((finding) => finding.policy)).toEqual(
      expect.arrayContaining(["docker-read-only-root", "waivers"]),
    );
    expect(report.findings.find((finding) => finding.policy === "waivers")).toMatchObject({
      message: "it expired after 2026-11-21",
      source: { file: "policies/waivers.yaml", line: 3 },
    });
    expect(judged(entry({ expires: "2026-11-22" })).waived, "holds on its last day").toHaveLength(1);
  });

  it("that are unused are violations, in their stack", () => {
    expect(judged(entry({ resource: "gone" })).findings.map((finding) => finding.message)).toContain(
      "no finding needs it",
    );
    expect(judged(entry({ stack: "prod" })).findings.map((finding) => finding.policy)).not.toContain("waivers");
  });

  it.each([
    ["an unknown rule", entry({ policy: "docker-anything" }), "there is no rule docker-anything"],
    ["a date more than 90 days from today", entry({ expires: "2027-02-21" }), "expires more than 90 days from today"],
    ["an invalid date", entry({ expires: "2027-02-30" }), "is not a valid date"],
    ["a reason that is too short", entry({ reason: "later" }), "reason"],
    ["a blank reason", entry({ reason: " ".repeat(30) }), "reason"],
    ["a reason of one word", entry({ reason: "x".repeat(30) }), "at least three words"],
    ["a blank owner", entry({ owner: "   " }), "owner"],
    ["a type and no resource", entry({ resource: undefined, component: "exai:a:B" }), "belongs to a resource"],
    ["aliases that expand without end", ALIASES, "cannot be read as YAML"],
    ["no owner", entry({ owner: undefined }), "owner"],
    [
      "neither resource nor component",
      entry({ type: undefined, resource: undefined }),
      "either a resource or a component",
    ],
    ["an unknown key", entry({ until: "2027" }), "until"],
    ["another structure", "waivers: none\n", "waivers"],
    ["invalid YAML", "waivers: [\n", "YAML"],
  ])("with %s are rejected with their line", (_, text, problem) => {
    const [first, ...more] = refusals(text);
    expect(first).toContain(problem);
    expect(first).toMatch(/^policies\/waivers\.yaml:\d+/);
    expect(more).toEqual([]);
  });

  it("may expire 90 days from today", () => {
    expect(refusals(entry({ expires: "2027-02-20" }))).toEqual([]);
  });

  it("have a JSON schema, and the project's file is valid", () => {
    const schema = JSON.parse(
      readFileSync(new URL("../../policies/model/waivers.schema.json", import.meta.url), "utf8"),
    ) as unknown;
    expect(schema).toEqual(z.toJSONSchema(waiversFile));
    expect(refusals(readFileSync(new URL("../../policies/waivers.yaml", import.meta.url), "utf8"))).toEqual([]);
  });
});
