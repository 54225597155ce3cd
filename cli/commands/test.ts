import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { EXIT, UserError } from "../../contract/errors.ts";
import type { LogEvent, ProgressEvent } from "../../contract/events.ts";
import { command, fix } from "../../contract/fix.ts";
import { TEST_IMAGES } from "../../contract/images.ts";
import { timed } from "../../contract/timed.ts";
import { ensureImages } from "../../operations/images/ensure.ts";
import { merge, type Task } from "../../operations/images/merge.ts";
import { PROJECT_ROOT } from "../../operations/images/paths.ts";
import { runInBackground } from "../../platforms/machine/background.ts";
import { prepareMachine } from "../../platforms/machine/prepare.ts";
import { nearest, suggestion } from "../../contract/nearest.ts";
import { resultOf } from "../events.ts";
import type { TestData } from "../results.ts";
import type { Register } from "./command.ts";
import { firstLines, readReport } from "./test-report.ts";

/** test: the checks and the tests of this project. */
export const registerTest: Register = (program, run) => {
  program
    .command("test")
    .description("run types, lint, dead code and all tests; the last line counts them")
    .argument("[suites...]", "folders or files of tests/ to run alone, for example unit policies")
    .addHelpText("after", "\nExit codes: 0 all passed, 1 something failed.")
    .action(async (suites: string[]) => {
      const json = program.opts<{ json?: boolean }>().json === true;
      await run((signal) => {
        const folders = suites.map(folderOf);
        return resultOf("test", test(folders, json ? 2 : "inherit", signal), ({ failed }) =>
          failed === 0 ? EXIT.ok : EXIT.violations,
        );
      });
    });
};

type TestEvent = ProgressEvent | LogEvent;
type Emit = (event: TestEvent) => void;

/** Checks that are not tests; each counts as one. The longest is first. */
const STATIC_CHECKS = [
  { name: "eslint", command: ["eslint", "."] },
  { name: "types", command: ["tsc", "--noEmit"] },
  { name: "prettier", command: ["prettier", "--check", "--log-level", "warn", "."] },
  { name: "knip", command: ["knip"] },
  { name: "architecture", command: ["depcruise", "--output-type", "err-long", "."] },
  { name: "spelling", command: ["cspell", "lint", "--no-progress", "--quiet"] },
] as const;

/**
 * Runs the tests and, if all are wanted, the static checks. Installs first what the machine lacks, if it can (root on Debian
 * and Ubuntu). What mostly waits runs at the same time as what computes: Debian's archive is waited for during the tests that
 * need only Node, and the checks run during the tests with containers.
 *
 * @param chosen folders and files below the project; empty: all of them, and the static checks
 * @param output where the output of vitest goes
 */
async function* test(
  chosen: readonly string[],
  output: "inherit" | 2,
  signal: AbortSignal,
): AsyncGenerator<TestEvent, TestData, void> {
  let total: TestData = { passed: 0, failed: 0, skipped: 0, failures: [] };
  const add = (more: TestData) => {
    total = {
      passed: total.passed + more.passed,
      failed: total.failed + more.failed,
      skipped: total.skipped + more.skipped,
      failures: [...total.failures, ...more.failures],
    };
  };
  yield* prepareMachine("tests", signal);
  const all = chosen.length === 0;
  const folders = all ? everySuite().map((suite) => `tests/${suite}`) : chosen;
  const meanwhile: Partial<Record<string, readonly Task<TestEvent>[]>> = all
    ? { pure: [(emit) => images(emit, signal)], containers: checks(add, signal) }
    : {};
  for (const project of PROJECTS) {
    const tests = async (): Promise<void> => {
      add(await vitest(project, folders, output, signal));
    };
    yield* merge([tests, ...(meanwhile[project] ?? [])], new AbortController());
  }
  // A run without a test proves nothing.
  if (total.passed + total.failed === 0)
    add({ passed: 0, failed: 1, skipped: 0, failures: [{ file: folders.join(" "), message: "no test ran" }] });
  return total;
}

/** Projects of vitest.config.ts in their order. A busy machine would fail the cluster's tests, so they run alone. */
const PROJECTS = ["pure", "containers", "cluster", "timing"] as const;

/** Runs the files of a project below the folders, if there are any. */
async function vitest(
  project: string,
  folders: readonly string[],
  output: "inherit" | 2,
  signal: AbortSignal,
): Promise<TestData> {
  const report = join(PROJECT_ROOT, ".exai", `vitest-${project}.json`);
  rmSync(report, { force: true });
  const command = ["vitest", "run", "--project", project, "--passWithNoTests"];
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${report}`];
  const code = await inFront([...command, ...reporters, ...folders], output, signal);
  return readReport(project, report, code);
}

/**
 * The static checks one after the other, except the longest, which runs at the same time; each keeps one core busy. They get
 * only what the tests leave of the machine.
 */
function checks(add: (result: TestData) => void, signal: AbortSignal): readonly Task<TestEvent>[] {
  const [longest, ...others] = STATIC_CHECKS;
  const check = async ({ name, command: [tool, ...args] }: (typeof STATIC_CHECKS)[number], emit: Emit) => {
    const lines: string[] = [];
    const line = (text: string) => lines.push(text);
    const steps = timed(
      name,
      name,
      () => runInBackground([programOf(tool), ...args], { cwd: PROJECT_ROOT, line, signal }),
      (code) => ({ status: code === 0 ? "done" : "failed" }),
    );
    for (;;) {
      const { done, value } = await steps.next();
      if (done !== true) {
        emit(value);
        continue;
      }
      const failures = value === 0 ? [] : [{ file: name, message: firstLines(lines.join("\n")) }];
      add({ passed: 1 - failures.length, failed: failures.length, skipped: 0, failures });
      for (const text of lines) emit({ type: "log", service: name, line: text });
      return;
    }
  };
  return [
    (emit) => check(longest, emit),
    async (emit) => {
      for (const other of others) await check(other, emit);
    },
  ];
}

/** Makes the images of the tests. If that fails, only the tests that need one fail. */
async function images(emit: Emit, signal: AbortSignal): Promise<void> {
  try {
    for await (const event of ensureImages(TEST_IMAGES, { signal })) emit(event);
  } catch (error) {
    signal.throwIfAborted();
    const message = `images: ${error instanceof Error ? error.message : String(error)}`;
    emit({ type: "note", level: "warning", message });
  }
}

function everySuite(): string[] {
  return readdirSync(join(PROJECT_ROOT, "tests"), { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && entry.name !== "support")
    .map((entry) => entry.name)
    .sort();
}

/** A folder or a file of tests, with or without `tests/` before it. @throws UserError if there is none of that name */
function folderOf(suite: string): string {
  const path = join("tests", suite.replace(/^(\.\/)?tests\//, ""));
  const known = everySuite();
  const [root, folder = ""] = path.split("/");
  if (root === "tests" && known.includes(folder) && existsSync(join(PROJECT_ROOT, path))) return path;
  throw new UserError(
    "invalid-argument",
    suite,
    `is neither a suite nor a file of tests${suggestion(suite, known)}; the suites are ${known.join(", ")}`,
    fix`${command(`test ${nearest(suite, known) ?? "unit"}`)}`,
  );
}

/** Runs a tool of node_modules with its standard output on ours or on a file descriptor. @returns its exit code */
async function inFront(
  [name = "", ...args]: readonly string[],
  output: "inherit" | 2,
  signal: AbortSignal,
): Promise<number> {
  const child = spawn(programOf(name), args, { cwd: PROJECT_ROOT, stdio: ["ignore", output, "inherit"], signal });
  const [code] = (await once(child, "close")) as [number | null];
  return code ?? 1;
}

function programOf(tool: string): string {
  return join(PROJECT_ROOT, "node_modules", ".bin", tool);
}
