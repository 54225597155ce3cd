import { setTimeout as sleep } from "node:timers/promises";
import type { Operation, ProgressEvent } from "../../../contract/events.ts";
import type { HookEnd, HookRun } from "../../../contract/hooks.ts";
import { stops, runOf, endHooks, type DueHook } from "../model/hooks.ts";
import { stateLabel, stepId } from "../model/labels.ts";
import type { Outcome } from "../model/machine.ts";
import type { RolloutPlan } from "../model/plan.ts";
import { resultOf, retryTransient } from "./retry.ts";
import type { StateRun } from "./state-run.ts";

/** Milliseconds between two reads of what hooks have done. */
const POLL_MS = 250;

/**
 * The hooks of a state, run one after the other in the background. A run is journalled before it begins and when it has ended:
 * after a crash the next process runs a hook that has begun and not ended once more, and none that has ended.
 */
export class HookRuns {
  /** Resolves when no hook is left to run, or one stops the rollout. Never rejects. */
  readonly over: Promise<void>;
  /** The run that stops the rollout. */
  stopped: HookRun | undefined;
  /** What ended the runs other than a hook: a journal that cannot be written, the end of the lease. */
  error: Error | undefined;
  isOver = false;
  readonly #run: StateRun;
  readonly #plan: RolloutPlan;
  readonly #outcome: Outcome | undefined;
  readonly #stop = new AbortController();
  readonly #signal: AbortSignal;
  #events: HookRun[] = [];

  constructor(run: StateRun, plan: RolloutPlan, due: readonly DueHook[], outcome?: Outcome) {
    this.#run = run;
    this.#plan = plan;
    this.#outcome = outcome;
    this.#signal = AbortSignal.any([run.signal, this.#stop.signal]);
    this.over = this.#all(due)
      .catch((error: unknown) => {
        this.error = error instanceof Error ? error : new Error(String(error));
      })
      .finally(() => {
        this.isOver = true;
      });
  }

  /** The runs that have begun or ended since the last call. */
  news(): readonly HookRun[] {
    const events = this.#events;
    this.#events = [];
    return events;
  }

  /** Ends the hook that runs, without waiting for it. */
  stop(): void {
    this.#stop.abort(new Error("the state has ended"));
  }

  async #all(due: readonly DueHook[]): Promise<void> {
    for (const hook of due) {
      const earlier = runOf(this.#run.machine, hook);
      const run = earlier?.end === undefined ? await this.#one(hook, (earlier?.attempt ?? 0) + 1) : earlier;
      if (!stops(hook, run)) continue;
      this.stopped = run;
      return;
    }
  }

  async #one({ name, when, step }: DueHook, attempt: number): Promise<HookRun> {
    const { context } = this.#run;
    const begun: HookRun = { hook: name, when, step, attempt, startedAt: new Date().toISOString() };
    await this.#journal(begun);
    const call = { ...{ hook: name, when, step, attempt, rollout: this.#plan }, weight: this.#weight() };
    const outcome = this.#outcome === undefined ? {} : { outcome: this.#outcome };
    const end: HookEnd =
      context.hooks === undefined
        ? { outcome: "failed", why: "not-configured", seconds: 0 }
        : await context.hooks.run({ ...call, ...outcome }, this.#signal);
    // The result of a hook that the lease or the state has left does not count.
    this.#signal.throwIfAborted();
    const ended = { ...begun, end };
    await this.#journal(ended);
    return ended;
  }

  #weight(): number {
    return this.#run.journal.table.weights[this.#plan.candidate];
  }

  async #journal(run: HookRun): Promise<void> {
    const during = this.#run.machine.state;
    const write = () => this.#run.dispatch({ type: "hook", run }, { during });
    await resultOf(retryTransient(this.#run, write));
    this.#signal.throwIfAborted();
    this.#events.push(run);
  }
}

/** The events of runs within the step of the present state. */
export function* hookEvents(
  run: StateRun,
  plan: RolloutPlan,
  runs: readonly HookRun[],
): Generator<ProgressEvent, void, void> {
  const { state } = run.machine;
  for (const hook of runs) {
    yield { type: "step", id: stepId(state, plan), title: stateLabel(run.machine), status: "progress", hook };
  }
}

/**
 * Reports the end of a rollout to its hooks, which may not change it: no error ends the operation, and what is left is run by
 * the next process that leads a rollout. Ends early when a request changes the state.
 */
export async function* reportEnd(run: StateRun): Operation<void> {
  const { unreported } = run.machine;
  if (unreported === undefined) return;
  const { plan, outcome } = unreported;
  const hooks = new HookRuns(run, plan, endHooks(plan, outcome), outcome);
  const events = function* (): Generator<ProgressEvent, void, void> {
    for (const hook of hooks.news()) {
      const step = { type: "step", id: `hook-${hook.hook}`, title: `hook ${hook.hook}`, hook } as const;
      const { end } = hook;
      yield end === undefined
        ? { ...step, status: "started" }
        : { ...step, status: end.outcome === "passed" ? "done" : "skipped", seconds: end.seconds };
    }
  };
  try {
    while (!hooks.isOver) {
      await Promise.race([hooks.over, sleep(POLL_MS, undefined, { ref: false })]);
      yield* events();
    }
    if (hooks.error === undefined || run.left) return;
    const why = hooks.error.message;
    const message = `not all hooks of ${plan.id} have run at its end (${why}); the next rollout, or a resume, runs them`;
    yield { type: "note", level: "warning", message };
  } finally {
    hooks.stop();
  }
}
