import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { EXIT } from "../../contract/errors.ts";
import type { ExaiEvent, Verb } from "../../contract/events.ts";
import { TEST_IMAGES } from "../../contract/images.ts";
import { ensureImages } from "../../operations/images/ensure.ts";
import { merge, type Task } from "../../operations/images/merge.ts";
import { PROJECT_ROOT } from "../../operations/images/paths.ts";
import { prepareMachine } from "../doctor/prepare.ts";

/** Counts of one check, as the closing line adds them up. */
interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

type Emit = (event: ExaiEvent) => void;

/** Checks that are not tests; each counts as one. The longest is first. */
const STATIC_CHECKS = [
  { name: "eslint", command: ["eslint", "."] },
  { name: "types", command: ["tsc", "--noEmit"] },
  { name: "prettier", command: ["prettier", "--check", "--log-level", "warn", "."] },
  { name: "knip", command: ["knip"] },
] as const;

/**
 * Types, lint and dead code, then the tests, all with their own output. What a machine lacks is installed first where that
 * is possible (root on Debian and Ubuntu). The last line is `N passed, N failed, N skipped`.
 */
export async function* test(suites: readonly string[], signal: AbortSignal): Verb {
  const total = { passed: 0, failed: 0, skipped: 0 };
  const add = (counts: Counts) => {
    total.passed += counts.passed;
    total.failed += counts.failed;
    total.skipped += counts.skipped;
  };
  yield* prepareMachine("tests", signal);

  if (suites.length === 0) yield* prepare(add, signal);

  const folders = suites.length > 0 ? suites.map((suite) => `tests/${suite}`) : everySuite();
  for (const projects of PHASES) {
    const [first = "", ...others] = projects;
    // The output of one run goes to the terminal at once, that of the others when they end: two would mix their lines.
    const runs = [
      vitest(first, folders, "inherit", signal),
      ...others.map((name) => vitest(name, folders, "pipe", signal)),
    ];
    for (const counts of await Promise.all(runs)) add(counts);
  }
  if (total.passed + total.failed === 0) total.failed = 1; // a run without a test proves nothing
  yield { type: "text", text: `${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped` };
  return total.failed === 0 ? EXIT.ok : EXIT.violations;
}

/** Projects of vitest.config.ts in their order; those of one phase run at the same time, as they mostly wait. */
const PHASES = [["pure"], ["containers", "cluster"], ["timing"]] as const;

/** Runs the files of a project below the folders, if there are any. */
async function vitest(
  project: string,
  folders: readonly string[],
  output: "inherit" | "pipe",
  signal: AbortSignal,
): Promise<Counts> {
  const report = join(PROJECT_ROOT, ".exai", `vitest-${project}.json`);
  rmSync(report, { force: true });
  const command = ["vitest", "run", "--project", project, "--passWithNoTests"];
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${report}`];
  const code = await tool([...command, ...reporters, ...folders], signal, output);
  return countsOf(report, code);
}

/**
 * The static checks in two lanes, as each keeps one core busy; beside them the images of the containers, which take a
 * minute and more where none is there, and mostly wait for Debian's archive.
 */
async function* prepare(add: (counts: Counts) => void, signal: AbortSignal): AsyncGenerator<ExaiEvent, void> {
  const [longest, ...others] = STATIC_CHECKS;
  const check = async ({ name, command }: (typeof STATIC_CHECKS)[number], emit: Emit) => {
    const step = { type: "step", id: name, title: name } as const;
    emit({ ...step, status: "started" });
    const started = Date.now();
    const ok = (await tool(command, signal)) === 0;
    add({ passed: ok ? 1 : 0, failed: ok ? 0 : 1, skipped: 0 });
    emit({ ...step, status: ok ? "done" : "failed", seconds: (Date.now() - started) / 1000 });
  };
  const lanes: readonly Task<ExaiEvent>[] = [
    (emit) => check(longest, emit),
    async (emit) => {
      for (const other of others) await check(other, emit);
    },
    (emit) => images(emit, signal),
  ];
  yield* merge(lanes, new AbortController());
}

/** Makes the images of the tests. Where that fails, the tests that need one fail by themselves; the others run. */
async function images(emit: Emit, signal: AbortSignal): Promise<void> {
  try {
    for await (const event of ensureImages(TEST_IMAGES, { signal })) emit(event);
  } catch (error) {
    signal.throwIfAborted();
    emit({
      type: "note",
      level: "warning",
      message: `images: ${error instanceof Error ? error.message : String(error)}`,
    });
  }
}

function everySuite(): string[] {
  return readdirSync(join(PROJECT_ROOT, "tests"), { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && entry.name !== "support")
    .map((entry) => `tests/${entry.name}`);
}

/** Runs a tool of node_modules with its output on ours, at once or when it has ended. */
async function tool(
  [name = "", ...args]: readonly string[],
  signal: AbortSignal,
  output: "inherit" | "pipe" = "inherit",
): Promise<number> {
  const program = join(PROJECT_ROOT, "node_modules", ".bin", name);
  const child = spawn(program, args, { cwd: PROJECT_ROOT, stdio: ["ignore", output, output], signal });
  const chunks: Buffer[] = [];
  for (const stream of [child.stdout, child.stderr]) stream?.on("data", (chunk: Buffer) => chunks.push(chunk));
  const [code] = (await once(child, "close")) as [number | null];
  process.stdout.write(Buffer.concat(chunks));
  return code ?? 1;
}

/** Reads vitest's own report; a run without a report has failed, unless it had no files. */
function countsOf(path: string, code: number): Counts {
  if (!existsSync(path)) return { passed: 0, failed: code === 0 ? 0 : 1, skipped: 0 };
  const report = JSON.parse(readFileSync(path, "utf8")) as {
    numPassedTests: number;
    numFailedTests: number;
    numPendingTests: number;
    numTodoTests: number;
  };
  const counts = {
    passed: report.numPassedTests,
    failed: report.numFailedTests,
    skipped: report.numPendingTests + report.numTodoTests,
  };
  // A suite that fails outside its tests (an import, a hook) fails the run without a failed test.
  const silent = code !== 0 && counts.failed === 0;
  return silent ? { ...counts, failed: counts.failed + 1 } : counts;
}
