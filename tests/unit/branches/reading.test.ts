import { expect, it } from "vitest";
import { fix } from "../../../contract/fix.ts";
import { Reading } from "../../../operations/branches/record/reading.ts";

it.each([
  [
    "what its program said, and not what kubectl adds",
    "no such file\ncommand terminated with exit code 126",
    "no such file",
  ],
  ["that a slot has no pod", "error: timed out waiting for the condition", "it has no pod that runs"],
  ["that the program ended", "command terminated with exit code 137", "the program ended early"],
])("a recording that did not begin says %s", async (_, said, problem) => {
  const script = 'printf "%s\\n" "$1" >&2; exit 1';
  const session = { program: "sh", args: ["-c", script, "sh", said], install: fix`none` };
  const reading = new Reading("blue", session, () => Promise.resolve());
  expect(await reading.begun).toBe(false);
  await reading.ended;
  expect(reading.problem).toBe(problem);
});
