import type { Failure } from "./failure.ts";
import type { Fix } from "./fix.ts";
import type { HookRun } from "./hooks.ts";
import type { LockBlocker } from "./sql/blocker.ts";
import type { Verdict } from "./verdict.ts";

/** A step starts, may report progress, and ends once. */
export type StepStatus = "started" | "progress" | "done" | "unchanged" | "skipped" | "failed";

/** What a person, or another process, has requested of a rollout. */
export interface StepRequest {
  readonly action: "pause" | "continue" | "promote" | "rollback" | "abort";
  /** user@host. */
  readonly who: string;
  /** Reason that was given; empty if none. */
  readonly why: string;
}

/** One piece of work that a person can follow. */
export interface StepEvent {
  readonly type: "step";
  /** The same for all events of one step. */
  readonly id: string;
  /** What the step does, in a few words: the same for all events of one step. */
  readonly title: string;
  readonly status: StepStatus;
  /** A few words on its state or outcome. They are cut off where a terminal is too narrow. */
  readonly detail?: string | undefined;
  /** Verdicts of the gates that watch the step. */
  readonly verdicts?: readonly Verdict[] | undefined;
  /** Sessions that hold a lock for which the step waits, the oldest transaction first. */
  readonly blockers?: readonly LockBlocker[] | undefined;
  /** The run of a hook that has begun or ended. */
  readonly hook?: HookRun | undefined;
  /** Why the step failed. */
  readonly failure?: Failure | undefined;
  /** The request that ended the step before its time. */
  readonly request?: StepRequest | undefined;
  /** How long it took, once it has ended. */
  readonly seconds?: number | undefined;
}

/** Something that the user should know and that ends nothing. */
export interface NoteEvent {
  readonly type: "note";
  readonly level: "info" | "warning";
  readonly message: string;
  /** What the user can do about it; commands of this CLI are kept apart from the text. */
  readonly fix?: Fix | undefined;
}

/** One line that a service has logged. */
export interface LogEvent {
  readonly type: "log";
  readonly service: string;
  readonly line: string;
}

/** What an operation reports while it works. */
export type ProgressEvent = StepEvent | NoteEvent;

/**
 * Work that reports its progress and returns what became of it: data with reason codes, and no sentences. `cli/commands` maps a
 * result to an exit code, and `cli/format` puts it into words.
 */
export type Operation<Result> = AsyncGenerator<ProgressEvent, Result, void>;
