import type { Failure } from "./failure.ts";
import type { Verdict } from "./verdict.ts";

/**
 * What a verb says while it works. Handlers are async generators of these events; the renderers in `cli/render`
 * print them for a terminal, for a log, or as NDJSON. Nothing else writes to standard output.
 */
export type ExaiEvent =
  | {
      readonly type: "step";
      readonly id: string;
      readonly title: string;
      readonly status: StepStatus;
      readonly detail?: string;
      /** Verdicts of the gates that watch the step. */
      readonly verdicts?: readonly Verdict[];
      /** Why the step failed. */
      readonly failure?: Failure;
      readonly seconds?: number;
    }
  | { readonly type: "note"; readonly level: "info" | "warning"; readonly message: string }
  | {
      readonly type: "table";
      readonly title?: string;
      readonly columns: readonly string[];
      readonly rows: readonly (readonly string[])[];
    }
  | { readonly type: "text"; readonly text: string }
  | ViewEvent
  | { readonly type: "result"; readonly title: string; readonly data: unknown; readonly next?: readonly string[] };

/**
 * What is to be seen now. A terminal shows the newest view in place of the one before; a log gets `line` each time that
 * `change` is another.
 */
export interface ViewEvent {
  readonly type: "view";
  readonly title: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
  /** Sentences below the table. */
  readonly details: readonly string[];
  readonly line: string;
  readonly change: string;
  readonly data: unknown;
}

/** A step starts, may say how far it is, and ends once. */
export type StepStatus = "started" | "progress" | "done" | "unchanged" | "skipped" | "failed";

/** A verb: yields its events and returns the exit code. */
export type Verb = AsyncGenerator<ExaiEvent, number, void>;

/** How far an operation is. */
export type ProgressEvent = Extract<ExaiEvent, { readonly type: "step" | "note" }>;

/** What stands below `cli`: yields its progress and returns its result, which holds data and reason codes but no sentences. */
export type Operation<Result> = AsyncGenerator<ProgressEvent, Result, void>;
