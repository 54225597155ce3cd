import { command, fix } from "../../contract/fix.ts";
import type { TestData, TestFailure } from "../results.ts";
import { heading, lines, type Block } from "./block.ts";

/** `test`: what failed, and then one line that a script can read, which is the last. */
export function formatTest({ passed, failed, skipped, failures }: TestData): readonly Block[] {
  return [
    ...failures.map(formatFailure),
    ...again(failures),
    heading(`${String(passed)} passed, ${String(failed)} failed, ${String(skipped)} skipped`),
  ];
}

function formatFailure({ file, test, message }: TestFailure): Block {
  const name = test === undefined ? file : `${file}: ${test}`;
  return lines({ text: `failed: ${name}`, tone: "bad" }, ...message.split("\n").map((line) => `  ${line}`));
}

/** Runs only the files that failed. */
function again(failures: readonly TestFailure[]): readonly Block[] {
  const files = [...new Set(failures.map(({ file }) => file).filter((file) => file.startsWith("tests/")))];
  return files.length === 0 ? [] : [{ type: "fix", fix: fix`${command(`test ${files.join(" ")}`)}` }];
}
