import type { Resource } from "../../contract/graph.ts";
import type { Database } from "../database/facts.ts";
import {
  subjectOf,
  type DatabaseRule,
  type Level,
  type Place,
  type Rule,
  type StackContext,
  type Verdict,
} from "./rule.ts";

/** A violation. */
export interface Finding {
  readonly policy: string;
  readonly level: Level;
  readonly place: Place;
  readonly message: string;
  readonly fix: string;
}

/** A place that a rule cannot judge before apply. */
export interface Deferred {
  readonly policy: string;
  readonly level: Level;
  readonly place: Place;
  /** The violation, if the value is wrong. */
  readonly message: string;
  /** Paths of the unknown values. */
  readonly because: readonly string[];
}

/** The result of one rule in one stack. */
export interface Outcome {
  readonly rule: Rule;
  readonly level: Level;
  /** Number of places that passed or failed. */
  readonly evaluated: number;
  /** Number of resources that the rule does not concern. */
  readonly skipped: number;
  readonly findings: readonly Finding[];
  readonly deferred: readonly Deferred[];
  /** Why the rule does not apply to this stack. */
  readonly notApplicable?: string;
  /** Why the rule has no result: it found nothing to check, although it applies, or it failed. */
  readonly inconclusive?: string;
}

/** The level of a rule in an environment. */
export function levelOf(rule: Rule, context: Pick<StackContext, "environment">): Level {
  return rule.levelIn?.[context.environment] ?? rule.level;
}

/**
 * Runs rules over a stack. `database` is the database after all migrations, or the error that prevents reading it; rules
 * about the database are inconclusive then.
 */
export function evaluate(rules: readonly Rule[], context: StackContext, database: Database | Error): Outcome[] {
  return rules.map((rule) => {
    const only = rule.only;
    if (only !== undefined && !only.environments.includes(context.environment))
      return empty(rule, context, { notApplicable: only.reason });
    try {
      if (rule.scope === "database" && database instanceof Error)
        return empty(rule, context, { inconclusive: database.message });
      const { verdicts, skipped } = run(rule, context, database);
      return outcomeOf(rule, context, verdicts, skipped);
    } catch (error) {
      return empty(rule, context, {
        inconclusive: `the rule failed: ${error instanceof Error ? error.message : String(error)}`,
      });
    }
  });
}

function run(
  rule: Rule,
  context: StackContext,
  database: Database | Error,
): { verdicts: readonly Verdict[]; skipped: number } {
  const all: readonly Resource[] = context.graph.resources;
  if (rule.scope === "resource") {
    const concerned = all.filter((resource) => rule.concerns(resource));
    const verdicts = concerned.flatMap((resource) => [...rule.check(subjectOf(resource), context.environment)]);
    return { verdicts, skipped: all.length - concerned.length };
  }
  if (rule.scope === "stack") return { verdicts: [...rule.check(context)], skipped: 0 };
  return { verdicts: database instanceof Error ? [] : verdictsAbout(database, rule), skipped: 0 };
}

/** Verdicts about databases, which all stacks of a plan share. */
const ABOUT = new WeakMap<Database, Map<DatabaseRule, readonly Verdict[]>>();

function verdictsAbout(database: Database, rule: DatabaseRule): readonly Verdict[] {
  const known = ABOUT.get(database) ?? new Map<DatabaseRule, readonly Verdict[]>();
  ABOUT.set(database, known);
  const verdicts = known.get(rule) ?? [...rule.check(database)];
  known.set(rule, verdicts);
  return verdicts;
}

/** The outcome of a rule's verdicts. An unknown one is a finding if the rule does not defer. */
export function outcomeOf(rule: Rule, context: StackContext, verdicts: readonly Verdict[], skipped: number): Outcome {
  const level = levelOf(rule, context);
  const findings: Finding[] = [];
  const deferred: Deferred[] = [];
  for (const verdict of verdicts) {
    const { place } = verdict;
    if (verdict.outcome === "fail") {
      findings.push({ policy: rule.name, level, place, message: verdict.message, fix: verdict.fix });
    } else if (verdict.outcome === "unknown") {
      if (rule.onUnknown === "defer") {
        deferred.push({ policy: rule.name, level, place, message: verdict.message, because: verdict.because });
      } else {
        const open = verdict.because.join(", ");
        findings.push({
          policy: rule.name,
          level,
          place,
          message: `unknown before apply: ${verdict.message}`,
          fix: `set ${open === "" ? "it" : open} to a value that is known before apply`,
        });
      }
    }
  }
  const evaluated = verdicts.filter((verdict) => verdict.outcome !== "unknown").length;
  if (verdicts.length === 0) {
    const notApplicable = rule.notApplicable?.(context);
    return empty(
      rule,
      context,
      notApplicable === undefined ? { inconclusive: "found nothing to check in this stack" } : { notApplicable },
      skipped,
    );
  }
  return { rule, level, evaluated, skipped, findings, deferred };
}

function empty(
  rule: Rule,
  context: StackContext,
  why: { notApplicable: string } | { inconclusive: string },
  skipped = context.graph.resources.length,
): Outcome {
  return { rule, level: levelOf(rule, context), evaluated: 0, skipped, findings: [], deferred: [], ...why };
}
