import type { Resource } from "../../contract/graph.ts";
import type { Database } from "../database/facts.ts";
import { subjectOf, type Level, type Place, type Rule, type StackContext, type Verdict } from "./rule.ts";

/** A violation. */
export interface Finding {
  readonly policy: string;
  readonly level: Level;
  readonly place: Place;
  readonly message: string;
  readonly fix: string;
}

/** A place that a rule could not judge yet. */
export interface Deferred {
  readonly policy: string;
  readonly level: Level;
  readonly place: Place;
  /** What will be a violation if the value turns out badly. */
  readonly message: string;
  /** Paths of the unknown values. */
  readonly because: readonly string[];
}

/** What one rule did in one stack. */
export interface Outcome {
  readonly rule: Rule;
  readonly level: Level;
  /** Places that were judged, passed or failed. */
  readonly evaluated: number;
  /** Resources that the rule does not concern. */
  readonly skipped: number;
  readonly findings: readonly Finding[];
  readonly deferred: readonly Deferred[];
  /** Why the rule rightly looked at nothing. */
  readonly notApplicable?: string;
  /** Why the rule gave no judgement: it looked at nothing without a reason, or it broke. */
  readonly inconclusive?: string;
}

/** The level of a rule in an environment. */
export function levelOf(rule: Rule, context: Pick<StackContext, "environment">): Level {
  return rule.levelIn?.[context.environment] ?? rule.level;
}

/**
 * Runs rules over a context. `database` is what the migrations make, or why that is not known; rules about it are then
 * inconclusive.
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
        inconclusive: `the rule broke: ${error instanceof Error ? error.message : String(error)}`,
      });
    }
  });
}

function run(rule: Rule, context: StackContext, database: Database | Error): { verdicts: Verdict[]; skipped: number } {
  const all: readonly Resource[] = context.graph.resources;
  if (rule.scope === "resource") {
    const concerned = all.filter((resource) => rule.concerns(resource));
    const verdicts = concerned.flatMap((resource) => [...rule.check(subjectOf(resource), context.environment)]);
    return { verdicts, skipped: all.length - concerned.length };
  }
  if (rule.scope === "stack") return { verdicts: [...rule.check(context)], skipped: 0 };
  return { verdicts: database instanceof Error ? [] : [...rule.check(database, context)], skipped: 0 };
}

/** Sums up a rule's verdicts; an unknown one is a finding where the rule does not defer. */
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
          message: `cannot be judged before apply (${verdict.message})`,
          fix: `give ${open === "" ? "it" : open} a value that the program knows`,
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
      notApplicable === undefined ? { inconclusive: "found nothing to look at in this stack" } : { notApplicable },
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
