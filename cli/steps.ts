import type { ExaiEvent } from "../contract/events.ts";

/** Runs one piece of work as a step: told when it starts, with its time when it ends, as failed when it throws. */
export async function* timed<Result>(
  id: string,
  title: string,
  work: () => Promise<Result>,
): AsyncGenerator<ExaiEvent, Result> {
  const started = Date.now();
  const seconds = () => (Date.now() - started) / 1000;
  yield { type: "step", id, title, status: "started" };
  try {
    const result = await work();
    yield { type: "step", id, title, status: "done", seconds: seconds() };
    return result;
  } catch (error) {
    yield { type: "step", id, title, status: "failed", seconds: seconds() };
    throw error;
  }
}
