import { describe, expect, it } from "vitest";
import { inPlaceQuestion } from "../../../cli/format/restore-in-place.ts";
import { openStack } from "../../../platforms/stack.ts";
import { fixSaying } from "../../support/fix-saying.ts";

describe("the archive of a stack on a cluster", () => {
  it.each(["staging", "prod"])("is refused, with what restores the stack: %s", (name) => {
    const stack = openStack(name);
    const refused = { code: "invalid-argument", fix: fixSaying(new RegExp(`restore ${name} restores a dump`)) };
    for (const attempt of [() => stack.restores(), () => stack.restoreSite(new AbortController().signal)])
      expect(attempt).toThrow(expect.objectContaining(refused));
  });
});

describe("the question before a restore in place", () => {
  it.each([
    [{ kind: "latest" }, "the last commit in the archive"],
    [{ kind: "time", at: new Date("2026-11-29T14:30:05.123Z") }, "2026-11-29 14:30:05.123 UTC"],
    [{ kind: "lsn", lsn: "0/5016180" }, "before 0/5016180"],
    [{ kind: "backup", label: "20261129-131541F" }, "the end of 20261129-131541F"],
  ] as const)("names the target: %o", (target, words) => {
    expect(inPlaceQuestion(target, false)).toContain(`after a backup of it, by its state at: ${words}.`);
    expect(inPlaceQuestion(target, true)).toContain("without a backup of it");
  });
});
