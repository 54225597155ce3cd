import type { Resource, ResourceGraph, SourcePosition } from "../../contract/graph.ts";
import type { Database } from "../database/facts.ts";
import type { Environment } from "./environment.ts";
import { Reader } from "./reader.ts";
import { UnknownTruth, type Truth } from "./truth.ts";

/** A mandatory finding blocks; an advisory one is only reported. */
export type Level = "mandatory" | "advisory";

/** The source of a rule, e.g. `{ standard: "CIS Docker 1.6.0", item: "5.5" }`. */
export interface Reference {
  readonly standard: string;
  readonly item: string;
}

/** The place that a verdict is about. */
export interface Place {
  /** The resource; absent if the place is not part of one. */
  readonly resource?: Resource;
  /** Name of a place outside of resources, such as a table or a file, e.g. `public.messages`. */
  readonly object?: string;
  /** Path inside the resource's inputs; empty for the resource itself. */
  readonly path: string;
  readonly source?: SourcePosition;
}

/** The answer of a rule about one place. */
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
  /** Unique identifier, in lower case with hyphens. */
  readonly name: string;
  /** One line that says what must hold. */
  readonly title: string;
  /** The reason for the rule, and what it checks. Markdown. */
  readonly documentation: string;
  readonly references: readonly Reference[];
  readonly level: Level;
  /** Levels that differ from `level` in single environments. */
  readonly levelIn?: Partial<Readonly<Record<Environment, Level>>>;
  /**
   * How the rule treats an unknown value. `fail`: the program has no reason to leave it unknown. `defer`: only the engine
   * knows it; the report lists the place, and the audit of the state checks it after apply.
   */
  readonly onUnknown: "fail" | "defer";
  /** Environments to which the rule applies, and why it does not apply to the others. @default all */
  readonly only?: { readonly environments: readonly Environment[]; readonly reason: string };
  /**
   * Why the rule has nothing to check in this stack. Undefined if it should have found something: the rule is inconclusive
   * then, since a check that checked nothing must not pass.
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

/** Judges the database after all migrations. */
export interface DatabaseRule extends RuleBase {
  readonly scope: "database";
  /** The verdicts depend on the database alone: each stack of a plan has the same ones. */
  check(database: Database): Iterable<Verdict>;
}

export type Rule = ResourceRule | StackRule | DatabaseRule;

/** The stack that is judged. */
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

/** The place at a path of a resource. */
export function placeOf(subject: Subject, path: string): Place {
  const { resource } = subject;
  return { resource, path, ...(resource.source === undefined ? {} : { source: resource.source }) };
}

/** Turns an answer into the verdict about any place. */
export function judgeAt(place: Place, holds: Truth, message: string, fix: string): Verdict {
  if (holds instanceof UnknownTruth) return { outcome: "unknown", place, message, because: holds.paths };
  return holds ? { outcome: "pass", place } : { outcome: "fail", place, message, fix };
}
