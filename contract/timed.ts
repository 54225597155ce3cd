import type { StepEvent } from "./events.ts";

/** How a step ended. */
export type StepEnd = Partial<Pick<StepEvent, "status" | "detail" | "failure">>;

/**
 * Runs one piece of work as a step: yields its start, and its end with the seconds that it took. A step whose work throws has
 * failed.
 *
 * @param end how it ended, from its result; done by default
 */
export async function* timed<Result>(
  id: string,
  title: string,
  work: () => Promise<Result>,
  end: (result: Result) => StepEnd = () => ({}),
): AsyncGenerator<StepEvent, Result, void> {
  const step = { type: "step", id, title } as const;
  const started = performance.now();
  const seconds = () => (performance.now() - started) / 1000;
  yield { ...step, status: "started" };
  try {
    const result = await work();
    yield { ...step, status: "done", ...end(result), seconds: seconds() };
    return result;
  } catch (error) {
    yield { ...step, status: "failed", seconds: seconds() };
    throw error;
  }
}
