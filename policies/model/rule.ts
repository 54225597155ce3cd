import type { Resource, ResourceGraph, SourcePosition } from "../../contract/graph.ts";
import type { Database } from "../database/facts.ts";
import type { Environment } from "./environment.ts";
import { Reader } from "./reader.ts";
import { UnknownTruth, type Truth } from "./truth.ts";

/** `mandatory` blocks, `advisory` is told. */
export type Level = "mandatory" | "advisory";

/** Where a rule comes from, e.g. `{ standard: "CIS Docker 1.6.0", item: "5.5" }`. */
export interface Reference {
  readonly standard: string;
  readonly item: string;
}

/** Where a verdict stands. */
export interface Place {
  /** The resource, or what else carries the fault: a table, a file. */
  readonly resource?: Resource;
  /** Name of what is no resource, e.g. `public.messages`. */
  readonly object?: string;
  /** Path inside the resource's inputs; empty for the resource itself. */
  readonly path: string;
  readonly source?: SourcePosition;
}

/** One answer of a rule about one place. */
export type Verdict =
  | { readonly outcome: "pass"; readonly place: Place }
  | { readonly outcome: "fail"; readonly place: Place; readonly message: string; readonly fix: string }
  | {
      readonly outcome: "unknown";
      readonly place: Place;
      readonly message: string;
      readonly because: readonly string[];
    };

interface RuleBase {
  /** Identifier, in lower case with hyphens; unique. */
  readonly name: string;
  /** One line that says what must hold. */
  readonly title: string;
  /** Why, and what the rule looks at. Markdown. */
  readonly documentation: string;
  readonly references: readonly Reference[];
  readonly level: Level;
  /** Levels that differ from `level` in single environments. */
  readonly levelIn?: Partial<Readonly<Record<Environment, Level>>>;
  /**
   * What an unknown value means: `fail` where a program has no reason to leave it open, `defer` where the engine
   * alone knows it; what is deferred is listed, and proved by the audit of the state after apply.
   */
  readonly onUnknown: "fail" | "defer";
  /** Environments that the rule judges, and why it leaves out the others. All where absent. */
  readonly only?: { readonly environments: readonly Environment[]; readonly reason: string };
  /**
   * Why it is right that the rule found nothing to look at in this stack; undefined where it is not, and the stack
   * then fails: a check that looked at nothing is no pass.
   */
  notApplicable?(context: StackContext): string | undefined;
}

/** Judges single resources by their inputs, before they are created. */
export interface ResourceRule extends RuleBase {
  readonly scope: "resource";
  concerns(resource: Resource): boolean;
  check(subject: Subject, environment: Environment): Iterable<Verdict>;
}

/** Judges all resources of a stack together. */
export interface StackRule extends RuleBase {
  readonly scope: "stack";
  check(context: StackContext): Iterable<Verdict>;
}

/** Judges the database as it is after all migrations. */
export interface DatabaseRule extends RuleBase {
  readonly scope: "database";
  check(database: Database, context: StackContext): Iterable<Verdict>;
}

export type Rule = ResourceRule | StackRule | DatabaseRule;

/** What is judged. */
export interface StackContext {
  readonly graph: ResourceGraph;
  readonly environment: Environment;
}

/** A resource and the reader of its inputs. */
export interface Subject {
  readonly resource: Resource;
  readonly inputs: Reader;
}

/** The subject of a resource. */
export function subjectOf(resource: Resource): Subject {
  return { resource, inputs: Reader.of(resource.inputs) };
}

/** Turns an answer into the verdict about a place of a resource. */
export function judge(subject: Subject, at: Reader | string, holds: Truth, message: string, fix: string): Verdict {
  return judgeAt(placeOf(subject, typeof at === "string" ? at : at.path), holds, message, fix);
}

/** The place of a path inside a resource. */
export function placeOf(subject: Subject, path: string): Place {
  const { resource } = subject;
  return { resource, path, ...(resource.source === undefined ? {} : { source: resource.source }) };
}

/** Turns an answer into the verdict about any place. */
export function judgeAt(place: Place, holds: Truth, message: string, fix: string): Verdict {
  if (holds instanceof UnknownTruth) return { outcome: "unknown", place, message, because: holds.paths };
  return holds ? { outcome: "pass", place } : { outcome: "fail", place, message, fix };
}
