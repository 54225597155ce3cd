import { expect, test } from "vitest";
import { cpusText, durationText } from "../../../components/core/container.ts";

test.each([
  [1, "1.0"],
  [2, "2.0"],
  [0.5, "0.5"],
  [0.25, "0.25"],
  [1.5, "1.5"],
])("%d cores read back as %s", (cores, text) => {
  expect(cpusText(cores)).toBe(text);
});

test.each([
  [2, "2s"],
  [60, "1m0s"],
  [95, "1m35s"],
  [3600, "1h0m0s"],
])("%d seconds read back as %s", (seconds, text) => {
  expect(durationText(seconds)).toBe(text);
});
