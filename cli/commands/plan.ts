import { existsSync, readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { Option, type Command } from "commander";
import pc from "picocolors";
import { EXIT, UserError, type ExitCode } from "../../contract/errors.ts";
import { PROJECT_ROOT } from "../../operations/images/paths.ts";
import { compareProject, type SupabaseEnvironment } from "../../operations/supabase/compare.ts";
import { readDatabase } from "../../policies/database/read.ts";
import { readExceptions, type Exceptions } from "../../policies/model/exceptions.ts";
import { withManifests } from "../../policies/reading/kubernetes/manifests.ts";
import { renderMarkdown } from "../../policies/report/markdown.ts";
import {
  judgeStack,
  planReportOf,
  withProject,
  type Decision,
  type PlanReport,
  type StackReport,
} from "../../policies/report/model.ts";
import { renderSarif } from "../../policies/report/sarif.ts";
import { RULES } from "../../policies/rules/index.ts";
import { keptGraph } from "../../synth/kept-graph.ts";
import { loadProgram } from "../../synth/lazy.ts";
import { stackFileSource } from "../../synth/stack-file.ts";
import { resultOf, type Verb } from "../events.ts";
import { reportBlocks } from "../format/plan/plan.ts";
import { writeOutput } from "../output-file.ts";
import { blocksText } from "../render/blocks.ts";
import type { PlanFormat, PlanResult } from "../results.ts";
import { stacksOf, withStackOption, type Register } from "./command.ts";

/** plan: what would run, and whether the policies allow it. */
export const registerPlan: Register = (program, run) => {
  const plans = withStackOption(
    program
      .command("plan")
      .description("check what would run against the policies, without engine, credentials or state")
      .argument("[stacks...]", "stacks to check (default: every stack file)")
      .addHelpText("after", "\nWith SUPABASE_ACCESS_TOKEN the settings of the Supabase project are compared as well."),
  );
  withReport(plans).action(async (typed: string[], flags: ReportOptions & { stack?: string }) => {
    const stacks = stacksOf(plans, typed, flags.stack);
    await run(() => plan(stacks, flags));
  });
};

/** How a report is written. */
export interface ReportOptions {
  /** Root of the project, with the stack files and `supabase/`. @default the checkout */
  readonly root?: string;
  /** @default "text" */
  readonly format?: PlanFormat;
  /** File to write the report to; standard output then has one line per stack. */
  readonly out?: string;
  /** Credentials of Supabase's Management API. @default the environment of the process */
  readonly environment?: SupabaseEnvironment;
}

/** Adds the options of a report, and its exit codes to the help. */
export function withReport(command: Command): Command {
  const formats: readonly PlanFormat[] = ["text", "json", "markdown", "sarif"];
  return command
    .addOption(new Option("--format <format>", "format of the report").choices(formats).default("text"))
    .option("--out <file>", "write the report to a file")
    .addHelpText("after", "\nExit codes: 0 clean, 1 violations, 2 inconclusive or failed.");
}

/** Exit code of a decision. */
export const EXIT_OF: Readonly<Record<Decision, ExitCode>> = {
  clean: EXIT.ok,
  violations: EXIT.violations,
  inconclusive: EXIT.failed,
};

/** `plan`: runs the program, applies the migrations to a scratch database, and evaluates the policies on both. */
export function plan(stacks: readonly string[], options: ReportOptions = {}): Verb {
  const judge = async () => {
    const root = resolve(options.root ?? PROJECT_ROOT);
    const chosen = stacks.length > 0 ? stacks : stackFiles(root);
    return reported(await planReports(chosen, root, { environment: options.environment ?? process.env }), options);
  };
  return resultOf("plan", judge(), ({ decision }) => EXIT_OF[decision]);
}

/** The result of reports, which are written to a file if that was requested. */
export function reported(stacks: readonly StackReport[], { format = "text", out }: ReportOptions): PlanResult {
  const result = planReportOf(stacks);
  if (out === undefined && format === "text") return result;
  const text = renderPlan(result, format);
  if (out === undefined) return { ...result, report: { format, text } };
  const path = resolve(out);
  writeOutput("--out", path, text);
  return { ...result, report: { format, path } };
}

/** How stacks are planned. */
export interface PlanReportOptions {
  /** Credentials by which the settings of Supabase projects are read. @default none */
  readonly environment?: SupabaseEnvironment;
  readonly now?: Date;
}

/** The reports of stacks, in their order. @throws UserError or UserErrors if the settings of a stack are invalid */
export async function planReports(
  stacks: readonly string[],
  root: string = PROJECT_ROOT,
  { environment = {}, now = new Date() }: PlanReportOptions = {},
): Promise<StackReport[]> {
  const ended = new AbortController();
  // First, and before the rules are loaded: its thread works at the same time as the program, and for longer.
  const database = readDatabase(root, { signal: ended.signal });
  try {
    const exceptions = projectExceptions(root, now);
    const reports: StackReport[] = [];
    for (const stack of stacks) {
      const captured = await keptGraph(root, stack, async () => {
        const { captureTraced } = await loadProgram();
        return captureTraced(stack, stackFileSource(root, stack, { defers: true }));
      });
      const graph = withManifests(captured, root);
      const project = compareProject(graph, environment);
      reports.push(withProject(judgeStack(RULES, graph, await database, exceptions), await project));
    }
    return reports;
  } finally {
    ended.abort(); // An error of the settings does not wait for the thread.
  }
}

/** The waivers and the declared kinds of a project. @throws UserErrors if they are malformed */
export function projectExceptions(root: string, now: Date = new Date()): Exceptions {
  const names = RULES.map((rule) => rule.name);
  return readExceptions(root, names, now);
}

/** A report as a document. */
export function renderPlan(report: PlanReport, format: PlanFormat): string {
  switch (format) {
    case "json":
      return `${JSON.stringify(report, undefined, 2)}\n`;
    case "markdown":
      return renderMarkdown(report);
    case "sarif":
      return renderSarif(report.stacks, RULES);
    case "text":
      return blocksText(reportBlocks(report.stacks), {
        columns: undefined,
        rows: 24,
        live: false,
        colours: pc.createColors(false),
      });
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
      "does not exist",
      "run the command in the project's folder",
    );
  return found.sort();
}
