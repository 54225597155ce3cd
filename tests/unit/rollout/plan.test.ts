import { describe, expect, it } from "vitest";
import { parseSeconds, parseSteps } from "../../../operations/rollout/model/plan.ts";

describe("the options of a cutover", () => {
  it("are read", () => {
    expect(parseSteps("5, 25,50,100")).toEqual([5, 25, 50, 100]);
    expect(parseSteps("100")).toEqual([100]);
    expect(["10", "10s", "500ms", "1.5m", "1h"].map((text) => parseSeconds(text, "--hold"))).toEqual([
      10, 10, 0.5, 90, 3600,
    ]);
  });

  it.each(["", "50", "50,25,100", "0,100", "5,5,100", "5,101", "5,x,100", "5.5,100", "-5,100"])(
    "refuse the steps %j",
    (text) => {
      expect(() => parseSteps(text)).toThrow("must be ascending percentages ending in 100");
    },
  );

  it.each(["", "10 s s", "-1s", "1d", "soon"])("refuse the duration %j and name the option", (text) => {
    let thrown: unknown;
    try {
      parseSeconds(text, "--hold");
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toMatchObject({ name: "UserError", where: "--hold" });
  });
});
