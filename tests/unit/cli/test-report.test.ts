import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readReport } from "../../../cli/commands/test-report.ts";
import { PROJECT_ROOT } from "../../../operations/images/paths.ts";
import type { TestData } from "../../../cli/results.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "exai-report-"));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

/** What a run of these files reports: their content by name, without the line that gives them vitest. */
function reportOf(files: Readonly<Record<string, string>>): TestData {
  for (const [name, text] of Object.entries(files))
    writeFileSync(join(folder, name), `import { beforeAll, expect, it } from "vitest";\n${text}`);
  const report = join(folder, "report.json");
  symlinkSync(join(PROJECT_ROOT, "node_modules"), join(folder, "node_modules"));
  const vitest = join(PROJECT_ROOT, "node_modules/vitest/vitest.mjs");
  const { status } = spawnSync(
    process.execPath,
    [vitest, "run", "--root", folder, "--reporter=json", `--outputFile=${report}`],
    { stdio: "ignore" },
  );
  return readReport("pure", report, status ?? 1);
}

const named = ({ failures }: TestData) =>
  failures.map(({ file, test, message }) => [basename(file), test, message.split("\n")[0]]);

describe("the report of a run", () => {
  it("names each test that failed, with the reason", () => {
    const data = reportOf({
      "good.test.ts": `it("passes", () => {}); it.skip("waits", () => {});`,
      "bad.test.ts": `it("adds", () => { expect(1 + 1).toBe(3); }); it("counts", () => { throw new Error("no numbers"); });`,
    });
    expect(data).toMatchObject({ passed: 1, failed: 2, skipped: 1 });
    expect(named(data)).toEqual([
      ["bad.test.ts", "adds", "AssertionError: expected 2 to be 3 // Object.is equality"],
      ["bad.test.ts", "counts", "Error: no numbers"],
    ]);
  });

  it("counts a file that fails outside its tests as one that failed", () => {
    const data = reportOf({
      "good.test.ts": `it("passes", () => {});`,
      "import.test.ts": `import "./missing.ts"; it("never runs", () => {});`,
    });
    expect(data).toMatchObject({ passed: 1, failed: 1 });
    expect(named(data)).toEqual([["import.test.ts", undefined, expect.stringContaining("missing.ts")]]);
  });

  it("has a failure where an error came outside all tests, and where vitest wrote none", () => {
    const late = `it("passes", async () => { setTimeout(() => { throw new Error("late"); }, 0); await new Promise((end) => setTimeout(end, 50)); });`;
    expect(reportOf({ "late.test.ts": late })).toMatchObject({ passed: 1, failed: 1, failures: [{ file: "pure" }] });
    expect(readReport("pure", join(folder, "none.json"), 1)).toMatchObject({ failed: 1, failures: [{ file: "pure" }] });
  });
});
