import type { Resource, ResourceGraph, SourcePosition } from "../../contract/graph.ts";
import type { ProjectComparison } from "../../contract/supabase/project.ts";
import type { Database } from "../database/facts.ts";
import { environmentOf, type Environment } from "../model/environment.ts";
import { evaluate, type Deferred, type Finding, type Outcome } from "../model/evaluate.ts";
import type { Level, Place, Rule } from "../model/rule.ts";
import type { Exception, Exceptions } from "../model/exceptions.ts";
import { declaredSettings } from "../rules/database/supabase-config.ts";
import { workloadsOf, type Workload } from "./workloads.ts";

/** `clean`: no mandatory finding. `inconclusive`: no mandatory finding, but some rule has no result. */
export type Decision = "clean" | "violations" | "inconclusive";

/** A finding or a deferred place in a report: names instead of objects, and no value of a secret. */
export interface Entry {
  readonly policy: string;
  readonly level: Level;
  /** Name of the resource, or of the table, policy or file. */
  readonly subject: string;
  readonly urn?: string;
  readonly type?: string;
  /** Path inside the resource's inputs; empty for the whole. */
  readonly path: string;
  readonly message: string;
  readonly source?: SourcePosition;
}

/** A violation and how to fix it. */
export interface FindingEntry extends Entry {
  readonly fix: string;
}

/** A finding that a waiver or a declared kind excepts. */
export interface WaivedEntry extends FindingEntry {
  readonly waiver: Exception;
}

/** A place that is checked after apply. */
export interface DeferredEntry extends Entry {
  readonly because: readonly string[];
}

/** Something open that the project declares as meant. */
export interface DeclarationEntry {
  /** Name of the table, or file and path of the setting. */
  readonly subject: string;
  /** The declared access to a table, or the reason for a setting. */
  readonly text: string;
  readonly source?: SourcePosition;
}

/** The result of one rule. */
export interface RuleEntry {
  readonly policy: string;
  readonly title: string;
  readonly level: Level;
  readonly evaluated: number;
  readonly skipped: number;
  readonly findings: number;
  readonly deferred: number;
  readonly notApplicable?: string;
  readonly inconclusive?: string;
}

/** The report of one stack. */
export interface StackReport {
  readonly stack: string;
  readonly environment: Environment;
  readonly decision: Decision;
  readonly resources: number;
  readonly workloads: readonly Workload[];
  readonly findings: readonly FindingEntry[];
  readonly waived: readonly WaivedEntry[];
  readonly deferred: readonly DeferredEntry[];
  /**
   * What comments declare to be open: of tables, e.g. `readable by anyone when status = 'published'`, and of settings of the Supabase CLI.
   * Declared kinds and waivers are in `waived`.
   */
  readonly declarations: readonly DeclarationEntry[];
  readonly rules: readonly RuleEntry[];
  readonly counts: {
    readonly rules: number;
    readonly evaluated: number;
    readonly mandatory: number;
    readonly advisory: number;
    readonly waived: number;
    readonly deferred: number;
    readonly notApplicable: number;
    readonly inconclusive: number;
  };
  /** The database that the rules checked; absent if it could not be read. */
  readonly database?: {
    readonly server: string;
    readonly cached: boolean;
    readonly migrations: number;
    readonly tables: number;
    readonly policies: number;
  };
  /** The settings of the stack's Supabase project; absent without one, and in `audit`. */
  readonly project?: ProjectComparison;
}

/** The report of `plan` and `audit`; `policies/report/plan.schema.json` describes it. */
export interface PlanReport {
  /** Increased when a property is removed or changes its meaning. */
  readonly version: 1;
  /** The worst decision of all stacks. */
  readonly decision: Decision;
  readonly stacks: readonly StackReport[];
}

/** Judges one stack. Findings are sorted: mandatory first, then by file and line. */
export function judgeStack(
  rules: readonly Rule[],
  graph: ResourceGraph,
  database: Database | Error,
  exceptions: Exceptions = { match: () => undefined, findings: () => [] },
): StackReport {
  const environment = environmentOf(graph);
  return reportOf(graph, environment, evaluate(rules, { graph, environment }, database), database, exceptions);
}

/** The report with the settings of the stack's project. Where one could not be read, it cannot be clean. */
export function withProject(report: StackReport, project: ProjectComparison | undefined): StackReport {
  if (project === undefined) return report;
  const failed = project.outcome === "compared" && project.failures.length > 0;
  return { ...report, project, decision: failed && report.decision === "clean" ? "inconclusive" : report.decision };
}

/** The report of given outcomes. */
export function reportOf(
  graph: ResourceGraph,
  environment: Environment,
  outcomes: readonly Outcome[],
  database: Database | Error,
  exceptions: Exceptions,
): StackReport {
  const findings: FindingEntry[] = [];
  const waived: WaivedEntry[] = [];
  for (const finding of outcomes.flatMap((outcome) => outcome.findings)) {
    const entry = { ...entryOf(finding), fix: finding.fix };
    const exception = exceptions.match(finding, graph.stack);
    if (exception === undefined) {
      findings.push(entry);
    } else {
      const { reason, owner, expires } = exception;
      const until = owner === undefined || expires === undefined ? {} : { owner, expires };
      waived.push({ ...entry, waiver: { reason, ...until } });
    }
  }
  for (const finding of exceptions.findings(graph.stack)) findings.push({ ...entryOf(finding), fix: finding.fix });
  const deferred = outcomes
    .flatMap((outcome) => outcome.deferred)
    .map((open) => ({ ...entryOf(open), because: open.because }));
  const ruleEntries = outcomes.map(ruleEntryOf);
  const mandatory = findings.filter((finding) => finding.level === "mandatory").length;
  const inconclusive = ruleEntries.filter((rule) => rule.inconclusive !== undefined).length;
  return {
    stack: graph.stack,
    environment,
    decision: mandatory > 0 ? "violations" : inconclusive > 0 ? "inconclusive" : "clean",
    resources: graph.resources.length,
    workloads: workloadsOf(graph),
    findings: findings.sort(inOrder),
    waived: waived.sort(inOrder),
    deferred: deferred.sort(inOrder),
    declarations: database instanceof Error ? [] : declarationsOf(database),
    rules: ruleEntries,
    counts: {
      rules: ruleEntries.length,
      evaluated: sum(ruleEntries, (rule) => rule.evaluated),
      mandatory,
      advisory: findings.length - mandatory,
      waived: waived.length,
      deferred: deferred.length,
      notApplicable: ruleEntries.filter((rule) => rule.notApplicable !== undefined).length,
      inconclusive,
    },
    ...(database instanceof Error
      ? {}
      : {
          database: {
            server: database.server,
            cached: database.cached,
            migrations: database.migrations.length,
            tables: database.tables.length,
            policies: database.policies.length,
          },
        }),
  };
}

function declarationsOf({ declarations, config }: Database): readonly DeclarationEntry[] {
  return [
    ...declarations.map(({ table, text, source }) => ({
      subject: table,
      text,
      ...(source === undefined ? {} : { source }),
    })),
    ...declaredSettings(config),
  ];
}

/** The report of several stacks; inconclusive for none. */
export function planReportOf(stacks: readonly StackReport[]): PlanReport {
  const has = (decision: Decision) => stacks.some((stack) => stack.decision === decision);
  const decision = has("violations")
    ? "violations"
    : stacks.length === 0 || has("inconclusive")
      ? "inconclusive"
      : "clean";
  return { version: 1, decision, stacks };
}

function entryOf(item: Finding | Deferred): Entry {
  const { place } = item;
  const resource: Resource | undefined = place.resource;
  return {
    policy: item.policy,
    level: item.level,
    subject: subjectName(place),
    ...(resource === undefined ? {} : { urn: resource.urn, type: resource.type }),
    path: place.path,
    message: item.message,
    ...(place.source === undefined ? {} : { source: place.source }),
  };
}

/** Name of the resource or object that a place belongs to. */
export function subjectName(place: Place): string {
  return place.resource?.name ?? place.object ?? "stack";
}

/** A finding on one line, with its fix. */
export function messageOf({ place, message, fix }: Finding): string {
  return `${subjectName(place)}${place.path === "" ? "" : ` ${place.path}`}: ${message} (fix: ${fix})`;
}

function ruleEntryOf(outcome: Outcome): RuleEntry {
  return {
    policy: outcome.rule.name,
    title: outcome.rule.title,
    level: outcome.level,
    evaluated: outcome.evaluated,
    skipped: outcome.skipped,
    findings: outcome.findings.length,
    deferred: outcome.deferred.length,
    ...(outcome.notApplicable === undefined ? {} : { notApplicable: outcome.notApplicable }),
    ...(outcome.inconclusive === undefined ? {} : { inconclusive: outcome.inconclusive }),
  };
}

function inOrder(a: Entry, b: Entry): number {
  const key = (entry: Entry) =>
    [
      entry.level === "mandatory" ? "0" : "1",
      entry.source?.file ?? "~",
      String(entry.source?.line ?? 0).padStart(7, "0"),
      entry.subject,
      entry.policy,
      entry.path,
    ].join("\0");
  return key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0;
}

function sum<Item>(items: readonly Item[], value: (item: Item) => number): number {
  return items.reduce((total, item) => total + value(item), 0);
}
