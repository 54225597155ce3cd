import type { ErrorCode, ExitCode } from "../contract/errors.ts";
import type { LogEvent, ProgressEvent } from "../contract/events.ts";
import type { Fix } from "../contract/fix.ts";
import type { Results, Views } from "./results.ts";

/** A verb's result. Every verb that succeeds, or that ends with violations, yields one as its last event. */
export type ResultEvent<Name extends keyof Results = keyof Results> = {
  readonly [Key in Name]: { readonly type: "result"; readonly verb: Key; readonly data: Results[Key] };
}[Name];

/** What is to be seen now. A terminal shows the newest view in place of the previous one. */
export type ViewEvent<Name extends keyof Views = keyof Views> = {
  readonly [Key in Name]: { readonly type: "view"; readonly verb: Key; readonly data: Views[Key] };
}[Name];

/** What ended a verb without a result. */
export interface ErrorEvent {
  readonly type: "error";
  /** `internal` is a defect of this program. */
  readonly code: ErrorCode | "interrupted" | "internal";
  /** The key, file, argument or resource at fault; the verb for a defect. */
  readonly where: string;
  readonly message: string;
  readonly fix?: Fix | undefined;
  readonly exitCode: ExitCode;
  /** The stack trace of a defect. */
  readonly stack?: string | undefined;
}

/** What a verb yields. The CLI prints it for people, or as one JSON object per line. */
export type CliEvent = ProgressEvent | LogEvent | ViewEvent | ResultEvent;

/** An event as it is printed: with the time at which the CLI received it, ISO 8601. */
export type Timed<Event> = { readonly at: string } & Event;

/** What `--json` prints: `docs/events.md`. */
export type PrintedEvent = Timed<CliEvent | ErrorEvent>;

/** A verb: yields its events and returns the exit code. */
export type Verb = AsyncGenerator<CliEvent, ExitCode, void>;

/** Runs the work of a verb, yields its result as an event, and returns the exit code that `exitCode` maps it to. */
export async function* resultOf<Name extends keyof Results>(
  verb: Name,
  work: AsyncGenerator<CliEvent, Results[Name], void> | Promise<Results[Name]>,
  exitCode: (data: Results[Name]) => ExitCode,
): Verb {
  const data = work instanceof Promise ? await work : yield* work;
  yield { type: "result", verb, data } as ResultEvent;
  return exitCode(data);
}
