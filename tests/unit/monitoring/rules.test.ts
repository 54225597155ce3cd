import { existsSync, readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { RECORDS } from "../../../contract/monitoring.ts";
import { LATENCY_BUCKETS_MILLISECONDS } from "../../../contract/envoy/metrics.ts";
import { atBound, duration } from "../../../components/monitoring/promql.ts";
import { alertsOf, renderRules, ruleGroups } from "../../../components/monitoring/rules.ts";
import { isAlert } from "../../../components/monitoring/rules/rule.ts";
import { syntaxErrors } from "./promql.ts";
import { RULES } from "./stack.ts";

const RUNBOOKS = fileURLToPath(new URL("../../../docs/runbooks", import.meta.url));
const groups = ruleGroups(RULES);
const alerts = alertsOf(groups);
const rules = groups.flatMap((group) => group.rules);

describe("every rule", () => {
  it.each(rules.map((rule) => [isAlert(rule) ? rule.alert : rule.record, rule.expr]))("%s parses", (_, expr) => {
    expect(syntaxErrors(expr)).toEqual([]);
  });

  it("is distinguished from a broken one", () => {
    expect(syntaxErrors("sum by (slot (rate(x[5m]))")).not.toEqual([]);
  });

  it("records exactly the series of the contract", () => {
    const recorded = rules.flatMap((rule) => (isAlert(rule) ? [] : [rule.record]));
    expect(recorded.toSorted()).toEqual(Object.values(RECORDS).toSorted());
  });

  it("uses records of the contract alone, so that a renamed record leaves no alert that cannot fire", () => {
    const known: ReadonlySet<string> = new Set(Object.values(RECORDS));
    for (const rule of rules) {
      for (const [name] of rule.expr.matchAll(/\b(?:exai|slot|slot_le):[a-z0-9_:]+/gu)) expect(known).toContain(name);
    }
  });
});

describe("every alert", () => {
  it.each(alerts.map((alert) => [alert.alert, alert]))("%s says what it is and what to do", (_, alert) => {
    expect(alert.summary.length).toBeGreaterThan(10);
    expect(alert.description.length).toBeGreaterThan(20);
    expect(existsSync(`${RUNBOOKS}/${alert.runbook}.md`)).toBe(true);
  });

  it.each(alerts.map((alert) => [alert.alert, alert]))(
    "%s has a case that fires and one that stays quiet",
    (_, alert) => {
      expect(alert.cases.some((one) => one.fires.length > 0)).toBe(true);
      // The Watchdog is the one that must never be quiet.
      if (alert.alert !== "Watchdog") expect(alert.cases.some((one) => one.fires.length === 0)).toBe(true);
    },
  );

  it("is named by a runbook, and no runbook is left over", () => {
    const used = new Set(alerts.map((alert) => `${alert.runbook}.md`));
    expect(readdirSync(RUNBOOKS).toSorted()).toEqual([...used].toSorted());
  });
});

describe("renderRules", () => {
  it("gives every alert severity, summary, description and runbook, and leaves the cases out", () => {
    const file = parse(renderRules({ ...RULES, runbooks: "https://example.org/runbooks" })) as {
      groups: { rules: { alert?: string; labels: object; annotations: object }[] }[];
    };
    const rendered = file.groups.flatMap((group) => group.rules).filter((rule) => rule.alert !== undefined);
    expect(rendered).toHaveLength(alerts.length);
    for (const rule of rendered) {
      expect(rule.labels).toHaveProperty("severity");
      expect(Object.keys(rule.annotations)).toEqual(["summary", "description", "runbook_url"]);
      expect(rule.annotations).toHaveProperty(
        "runbook_url",
        expect.stringMatching(/^https:\/\/example.org\/runbooks\/.+\.md$/u),
      );
      expect(rule).not.toHaveProperty("cases");
    }
  });

  it("watches the archive of the log only where the stack has one", () => {
    const hosted = { jobs: RULES.jobs, backups: RULES.backups };
    expect(renderRules(RULES)).toContain("WalArchiveStale");
    expect(renderRules(hosted)).not.toContain("WalArchiveStale");
  });
});

describe("atBound", () => {
  it("matches both spellings of a bound, and no other bound", () => {
    for (const bound of LATENCY_BUCKETS_MILLISECONDS) {
      const [, operator = "", pattern = ""] = /^le(=~?)"(.*)"$/u.exec(atBound(bound)) ?? [];
      const matches = (value: string): boolean =>
        operator === "=" ? value === pattern : new RegExp(`^(?:${pattern.replaceAll("\\\\", "\\")})$`, "u").test(value);
      const prometheus3 = Number.isInteger(bound) ? `${bound}.0` : String(bound);
      expect([matches(String(bound)), matches(prometheus3)]).toEqual([true, true]);
      expect([matches(`${bound}0`), matches(`1${bound}`), matches(`${bound}x0`)]).toEqual([false, false, false]);
    }
  });
});

describe("duration", () => {
  it.each([
    [90, "90s"],
    [900, "15m"],
    [93_600, "26h"],
    [604_800, "7d"],
  ])("%d is %s", (seconds, text) => {
    expect(duration(seconds)).toBe(text);
  });
});
