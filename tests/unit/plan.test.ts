import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { audit } from "../../cli/commands/audit.ts";
import { plan, planReports, renderPlan } from "../../cli/commands/plan.ts";
import { UserError } from "../../contract/errors.ts";
import { MARKER } from "../../policies/report/markdown.ts";
import { planReportOf } from "../../policies/report/model.ts";
import { RULES } from "../../policies/rules/index.ts";
import { runVerb } from "../support/verbs.ts";

describe("plan", () => {
  it("finds our own stacks clean, with every rule", async () => {
    const reports = await planReports(["local", "staging", "prod"]);
    for (const report of reports) {
      expect(
        report.findings.filter((finding) => finding.level === "mandatory"),
        report.stack,
      ).toEqual([]);
      expect(
        report.rules.filter((rule) => rule.inconclusive !== undefined),
        report.stack,
      ).toEqual([]);
      expect(report.decision).toBe("clean");
      expect(report.rules).toHaveLength(RULES.length);
      expect(report.database?.tables, "the database was read").toBeGreaterThan(10);
      expect(report.declarations.map(({ subject }) => subject)).toEqual([
        "public.rate_limits",
        "supabase/config.toml functions.verify-jwt.verify_jwt",
      ]);
      expect(report.workloads.filter((load) => /server-(blue|green)$/.test(load.name))).toHaveLength(2);
    }
    // Each rule applies to at least one stack, except those about kinds that none has; tests/policies shows what they find.
    const unused = RULES.filter((rule) =>
      reports.every((report) => report.rules.find((entry) => entry.policy === rule.name)?.evaluated === 0),
    );
    expect(unused.map((rule) => rule.name)).toEqual([
      "kubernetes-admission-webhooks",
      "kubernetes-persistent-volumes",
      "network-ingress-options",
    ]);

    const schema = JSON.parse(
      readFileSync(new URL("../../policies/report/plan.schema.json", import.meta.url), "utf8"),
    ) as z.core.JSONSchema.JSONSchema;
    expect(
      z.fromJSONSchema(schema).safeParse(JSON.parse(renderPlan(planReportOf(reports), "json"))).error,
    ).toBeUndefined();
    expect(renderPlan(planReportOf(reports), "markdown").split("\n").slice(0, 2)).toEqual([MARKER, "## Plan: allowed"]);
    const sarif = JSON.parse(renderPlan(planReportOf(reports), "sarif")) as {
      version: string;
      runs: { tool: { driver: { rules: { id: string }[] } } }[];
    };
    expect(sarif.version).toBe("2.1.0");
    expect(sarif.runs.map((run) => run.tool.driver.rules.length)).toEqual([RULES.length, RULES.length, RULES.length]);
  });

  it("writes a report to a file, and shows one line per stack", async () => {
    const out = join(mkdtempSync(join(tmpdir(), "exai-plan-")), "deep", "plan.json");
    const { text, code } = await runVerb(plan(["prod"], { format: "json", out }));
    expect(code).toBe(0);
    expect(text).toMatch(/^prod: clean[^\n]*\n$/);
    expect(JSON.parse(readFileSync(out, "utf8"))).toMatchObject({ version: 1, decision: "clean" });
  });

  it("rejects a stack that does not exist", async () => {
    await expect(runVerb(plan(["nowhere"]))).rejects.toThrow(UserError);
  });
});

describe("audit", () => {
  it("rejects a file that is not a state", async () => {
    await expect(runVerb(audit(undefined, {}, { state: "nowhere.json" }))).rejects.toThrow("does not exist");
    await expect(runVerb(audit(undefined, {}, { state: "package.json" }))).rejects.toThrow("no deployment.resources");
  });

  it("requires exactly one of a stack and a file", async () => {
    await expect(runVerb(audit(undefined, {}, {}))).rejects.toThrow("a stack or --state is required");
    await expect(runVerb(audit("prod", {}, { state: "package.json" }))).rejects.toThrow(
      "cannot be combined with a stack",
    );
  });
});
