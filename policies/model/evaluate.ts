import type { Resource } from "../../contract/graph.ts";
import type { Database } from "../database/facts.ts";
import { subjectOf, type Level, type Place, type Rule, type Scene, type Verdict } from "./rule.ts";

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
  readonly notApplicable: number;
  readonly findings: readonly Finding[];
  readonly deferred: readonly Deferred[];
  /** Why the rule rightly looked at nothing. */
  readonly idle?: string;
  /** Why the rule gave no judgement: it looked at nothing without a reason, or it broke. */
  readonly unjudged?: string;
}

/** The level of a rule in an environment. */
export function levelOf(rule: Rule, scene: Pick<Scene, "environment">): Level {
  return rule.levelIn?.[scene.environment] ?? rule.level;
}

/**
 * Runs rules over a scene. `database` is what the migrations make, or why that is not known; rules about it are then
 * unjudged.
 */
export function evaluate(rules: readonly Rule[], scene: Scene, database: Database | Error): Outcome[] {
  return rules.map((rule) => {
    const only = rule.only;
    if (only !== undefined && !only.environments.includes(scene.environment))
      return empty(rule, scene, { idle: only.reason });
    try {
      if (rule.scope === "database" && database instanceof Error)
        return empty(rule, scene, { unjudged: database.message });
      const { verdicts, notApplicable } = run(rule, scene, database);
      return outcomeOf(rule, scene, verdicts, notApplicable);
    } catch (error) {
      return empty(rule, scene, {
        unjudged: `the rule broke: ${error instanceof Error ? error.message : String(error)}`,
      });
    }
  });
}

function run(rule: Rule, scene: Scene, database: Database | Error): { verdicts: Verdict[]; notApplicable: number } {
  const all: readonly Resource[] = scene.graph.resources;
  if (rule.scope === "resource") {
    const concerned = all.filter((resource) => rule.concerns(resource));
    const verdicts = concerned.flatMap((resource) => [...rule.check(subjectOf(resource), scene.environment)]);
    return { verdicts, notApplicable: all.length - concerned.length };
  }
  if (rule.scope === "stack") return { verdicts: [...rule.check(scene)], notApplicable: 0 };
  return { verdicts: database instanceof Error ? [] : [...rule.check(database, scene)], notApplicable: 0 };
}

/** Sums up a rule's verdicts; an unknown one is a finding where the rule does not defer. */
export function outcomeOf(rule: Rule, scene: Scene, verdicts: readonly Verdict[], notApplicable: number): Outcome {
  const level = levelOf(rule, scene);
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
    const idle = rule.idle?.(scene);
    return empty(
      rule,
      scene,
      idle === undefined ? { unjudged: "found nothing to look at in this stack" } : { idle },
      notApplicable,
    );
  }
  return { rule, level, evaluated, notApplicable, findings, deferred };
}

function empty(
  rule: Rule,
  scene: Scene,
  why: { idle: string } | { unjudged: string },
  notApplicable = scene.graph.resources.length,
): Outcome {
  return { rule, level: levelOf(rule, scene), evaluated: 0, notApplicable, findings: [], deferred: [], ...why };
}
