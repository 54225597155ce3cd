import { describe, expect, it } from "vitest";
import { stepText } from "../../../../cli/format/step.ts";

const STEP = { type: "step", id: "shift-25", title: "shift 25 %", status: "done" } as const;

describe("a step that a request has ended", () => {
  it("says what was done, by whom and why", () => {
    const by = { who: "ann@host", why: "checked" };
    expect(stepText({ ...STEP, request: { ...by, action: "promote" } })).toBe("promoted by ann@host: checked");
    expect(stepText({ ...STEP, request: { ...by, action: "abort" } })).toBe("aborted by ann@host: checked");
    expect(stepText({ ...STEP, request: { ...by, why: "", action: "rollback" } })).toBe("rolled back by ann@host");
  });
});
