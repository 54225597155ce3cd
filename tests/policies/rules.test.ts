import { describe, expect, it } from "vitest";
import { readdirSync } from "node:fs";
import { RULES } from "../../policies/rules/index.ts";

describe("every rule of the pack", () => {
  it("has a unique name", () => {
    expect(new Set(RULES.map((rule) => rule.name)).size).toBe(RULES.length);
    for (const rule of RULES) expect(rule.name).toMatch(/^[a-z]+(-[a-z0-9]+)+$/);
  });

  it.each(RULES.map((rule) => [rule.name, rule] as const))(
    "%s has a level, a title, documentation and references",
    (_, rule) => {
      expect(["mandatory", "advisory"]).toContain(rule.level);
      expect(["fail", "defer"]).toContain(rule.onUnknown);
      expect(rule.title.length).toBeGreaterThan(15);
      expect(rule.title).not.toMatch(/\.$/);
      expect(rule.documentation.length).toBeGreaterThan(40);
      expect(rule.references.length).toBeGreaterThan(0);
      for (const reference of rule.references) {
        expect(reference.standard).not.toBe("");
        expect(reference.item).not.toBe("");
      }
      if (rule.only !== undefined) expect(rule.only.reason).not.toBe("");
    },
  );

  it("is listed: the pack has one rule per file", () => {
    const rules = new URL("../../policies/rules/", import.meta.url);
    const folders = readdirSync(rules).filter((name) => name !== "index.ts");
    const files = folders.flatMap((folder) =>
      readdirSync(new URL(`${folder}/`, rules)).map((file) => `${folder}/${file}`),
    );
    expect(files.filter((file) => !file.endsWith("/index.ts")).length).toBe(RULES.length);
  });
});
