import { existsSync, readFileSync } from "node:fs";
import { relative } from "node:path";
import { PROJECT_ROOT } from "../../operations/images/paths.ts";
import type { TestData, TestFailure } from "../results.ts";

/** The part of vitest's JSON report that is read. */
interface Report {
  readonly numPassedTests: number;
  readonly numPendingTests: number;
  readonly numTodoTests: number;
  readonly testResults: readonly {
    /** The file's absolute path. */
    readonly name: string;
    readonly status: string;
    readonly message: string;
    readonly assertionResults: readonly {
      readonly status: string;
      readonly fullName: string;
      readonly failureMessages: readonly string[];
    }[];
  }[];
}

/** Lines of a reason that are kept: an assertion says what it wanted in the first ones. */
const LINES = 4;

/**
 * Reads the report of a run of vitest. A run that ended with an error has a failure in any case: a file that fails outside its
 * tests (an import, a hook) counts as one, and so does a run without a report, or with an error outside all files.
 *
 * @param project what the run is named by where no file is known
 * @param path the report
 * @param code exit code of the run
 */
export function readReport(project: string, path: string, code: number): TestData {
  if (!existsSync(path)) {
    const failures = code === 0 ? [] : [{ file: project, message: "vitest ended before it wrote its report" }];
    return { passed: 0, failed: failures.length, skipped: 0, failures };
  }
  const report = JSON.parse(readFileSync(path, "utf8")) as Report;
  const failures = report.testResults.flatMap(failuresOf);
  if (code !== 0 && failures.length === 0)
    failures.push({ file: project, message: "an error outside all tests; the output of vitest shows it" });
  return {
    passed: report.numPassedTests,
    failed: failures.length,
    skipped: report.numPendingTests + report.numTodoTests,
    failures,
  };
}

function failuresOf({ name, status, message, assertionResults }: Report["testResults"][number]): TestFailure[] {
  const file = relative(PROJECT_ROOT, name);
  const failed = assertionResults.filter((test) => test.status === "failed");
  if (failed.length === 0) return status === "failed" ? [{ file, message: firstLines(message) }] : [];
  return failed.map(({ fullName, failureMessages }) => ({
    file,
    test: fullName,
    message: firstLines(failureMessages.join("\n")),
  }));
}

/** The first lines of a reason that say something; frames of packages do not. */
export function firstLines(text: string): string {
  const lines = text.split("\n").filter((line) => line.trim() !== "" && !/^\s+at .*\/node_modules\//.test(line));
  return lines.slice(0, LINES).join("\n");
}
