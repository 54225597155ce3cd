import { existsSync, readdirSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { EXIT, UserError, type ExitCode } from "../../contract/errors.ts";
import type { ExaiEvent, Verb } from "../../contract/events.ts";
import { readDatabase } from "../../policies/database/read.ts";
import { renderJson } from "../../policies/report/json.ts";
import { renderMarkdown } from "../../policies/report/markdown.ts";
import { decisionOf, judgeStack, type Decision, type StackReport } from "../../policies/report/model.ts";
import { renderSarif } from "../../policies/report/sarif.ts";
import { headline, renderText } from "../../policies/report/text.ts";
import { RULES } from "../../policies/rules/index.ts";
import { readWaivers, Waivers } from "../../policies/model/waivers.ts";
import { loadLazily } from "../../synth/lazy-modules.ts";

export const PLAN_FORMATS = ["text", "json", "markdown", "sarif"] as const;
export type PlanFormat = (typeof PLAN_FORMATS)[number];

export interface PlanOptions {
  /** Root of the project: where the stack files and `supabase/` are. @default the project that this file belongs to */
  readonly root?: string;
  /** @default "text" */
  readonly format?: PlanFormat;
  /** File to write the report to; standard output then has one line per stack. */
  readonly out?: string;
}

/** Exit code of a decision. */
export const EXIT_OF: Readonly<Record<Decision, ExitCode>> = {
  clean: EXIT.ok,
  violations: EXIT.violations,
  inconclusive: EXIT.failed,
};

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/**
 * Judges stacks without engine, credentials or state: runs the program, reads what it registers, applies the
 * migrations to a database of its own, and says what will run and whether it is allowed.
 *
 * Exit 0 where nothing mandatory is violated, 1 on violations, 2 where something could not be judged.
 */
export async function* plan(stacks: readonly string[], options: PlanOptions = {}): Verb {
  const root = resolve(options.root ?? ROOT);
  const names = stacks.length > 0 ? stacks : stackFiles(root);
  const reports = await planReports(names, root);
  yield* showReports(reports, options);
  return EXIT_OF[decisionOf(reports)];
}

/** Prints reports, or writes them to a file and prints a line for each. */
export async function* showReports(
  reports: readonly StackReport[],
  options: PlanOptions,
): AsyncGenerator<ExaiEvent, void> {
  const text = renderPlan(reports, options.format ?? "text");
  if (options.out === undefined) {
    yield { type: "text", text };
    return;
  }
  const file = resolve(options.out);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, text);
  for (const report of reports) yield { type: "text", text: `${headline(report)}\n` };
}

/** The reports of stacks, in their order. @throws UserError or UserErrors where a stack's settings are refused */
export async function planReports(
  stacks: readonly string[],
  root: string = ROOT,
  now: Date = new Date(),
): Promise<StackReport[]> {
  const { waivers } = projectWaivers(root, now);
  // The database is read beside the program: it works in its own thread.
  const database = readDatabase(root);
  loadLazily();
  const { capture } = await import("../../synth/capture.ts");
  const { stackFileSource } = await import("../../synth/stack-file.ts");
  const reports: StackReport[] = [];
  for (const stack of stacks) {
    const graph = await capture(stack, stackFileSource(root, stack, { defers: true }));
    reports.push(judgeStack(RULES, graph, await database, waivers));
  }
  return reports;
}

/** The project's root and its waivers. @throws UserErrors on malformed waivers */
export function projectWaivers(root: string = ROOT, now: Date = new Date()): { root: string; waivers: Waivers } {
  const names = RULES.map((rule) => rule.name);
  return { root: resolve(root), waivers: new Waivers(readWaivers(root, names, now), now) };
}

/** Renders reports. */
export function renderPlan(reports: readonly StackReport[], format: PlanFormat): string {
  switch (format) {
    case "json":
      return renderJson(reports);
    case "markdown":
      return renderMarkdown(reports);
    case "sarif":
      return renderSarif(reports, RULES);
    case "text":
      return renderText(reports);
  }
}

function stackFiles(root: string): string[] {
  const found = existsSync(root)
    ? readdirSync(root).flatMap((file) => /^Pulumi\.([\w-]+)\.yaml$/.exec(file)?.[1] ?? [])
    : [];
  if (found.length === 0)
    throw new UserError(
      "not-found",
      join(root, "Pulumi.<stack>.yaml"),
      "there is no stack file",
      "run ./exai in the project's folder",
    );
  return found.sort();
}
