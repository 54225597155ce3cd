import { EXIT, UserError } from "../../../contract/errors.ts";
import type { ExaiEvent, Verb } from "../../../contract/events.ts";
import type { Announcer } from "../ports/announcer.ts";
import type { RolloutContext } from "../ports/context.ts";
import type { Journal } from "../model/journal.ts";
import { atRest, stateLabel, type Machine } from "../model/machine.ts";
import type { RolloutPlan } from "../model/plan.ts";
import { lostLease, RolloutSession } from "./store.ts";
import { tableLabel } from "../local/envoy-traffic.ts";

/**
 * Runs a verb's work under the lease and gives the lease back, whatever happens. Ctrl-C ends it with the exit code of an
 * interruption and says how to go on.
 */
export async function* turn(
  context: RolloutContext,
  verb: string,
  work: (session: RolloutSession) => AsyncGenerator<ExaiEvent, number, void>,
  how: "acquire" | "seize" = "acquire",
): Verb {
  const session = await RolloutSession.open(context, verb, how);
  const { announcer, journal } = context;
  announcer?.begin(session.journal.sequence, () => journal.history());
  try {
    return yield* withTroubles(work(session), announcer);
  } catch (error) {
    if (context.signal.aborted) {
      yield* interrupted(session);
      return EXIT.interrupted;
    }
    throw session.ended.aborted ? lostLease(session.ended.reason) : error;
  } finally {
    await session.close();
    // After the lease is free: nobody waits for a receiver that is slow.
    await announcer?.end();
    yield* troubles(announcer);
  }
}

/** The work's events, with what the announcer could not do among them. */
async function* withTroubles(
  work: AsyncGenerator<ExaiEvent, number, void>,
  announcer: Announcer | undefined,
): AsyncGenerator<ExaiEvent, number, void> {
  try {
    for (;;) {
      const { done, value } = await work.next();
      if (done === true) return value;
      yield value;
      yield* troubles(announcer);
    }
  } finally {
    await work.return(0); // where the reader leaves before the end
  }
}

function* troubles(announcer: Announcer | undefined): Generator<ExaiEvent, void, void> {
  for (const message of announcer?.troubles() ?? []) yield { type: "note", level: "warning", message };
}

function* interrupted(session: RolloutSession): Generator<ExaiEvent, void, void> {
  if (atRest(session.machine)) return;
  const message =
    `stopped in "${stateLabel(session.machine)}" with ${tableLabel(session.journal.table)}; nobody watches the gates now. ` +
    "Go on with ./exai rollout resume, or take it back with ./exai rollout abort";
  yield { type: "note", level: "warning", message };
}

/**
 * Says how a rollout ended and turns it into an exit code.
 *
 * @param wanted the end that counts as success.
 */
export function* conclude(
  { machine, journal }: { readonly machine: Machine; readonly journal: Journal },
  plan: RolloutPlan,
  wanted: "completed" | "rolled-back",
): Generator<ExaiEvent, number, void> {
  if (machine.state.name === "standby") {
    yield {
      type: "result",
      title: `${plan.candidate} has all users; ${plan.stable} stays warm`,
      data: {
        rollout: plan.id,
        outcome: "completed",
        active: plan.candidate,
        image: plan.image,
        weights: journal.table.weights,
        seconds: secondsSince(plan),
        standbyUntil: standbyUntil(journal.entry?.at, plan),
      },
      next: ["./exai rollback", "./exai rollout history"],
    };
    return EXIT.ok;
  }
  const { ending } = machine;
  if (ending?.outcome === "completed") {
    const stopped = machine.emptied.includes(plan.stable);
    yield {
      type: "result",
      title: `${plan.candidate} has all users; ${plan.stable} ${stopped ? "is stopped" : "could not be stopped"}`,
      data: {
        rollout: plan.id,
        outcome: ending.outcome,
        active: machine.active,
        weights: journal.table.weights,
        emptied: machine.emptied,
      },
      next: stopped ? ["./exai rollout history"] : ["./exai rollout status"],
    };
    return stopped ? EXIT.ok : EXIT.failed;
  }
  const kept = ending?.outcome === "kept";
  yield {
    type: "result",
    title: kept
      ? `the rollback failed: ${plan.stable} could not be brought back, so ${plan.candidate} keeps the users`
      : `${ending?.automatic === true ? "rolled back by itself" : "rolled back"}: ${plan.stable} has all users (${ending?.reason ?? ""})`,
    data: {
      rollout: plan.id,
      outcome: ending?.outcome,
      automatic: ending?.automatic,
      reason: ending?.reason,
      from: ending?.from,
      active: machine.active,
      image: plan.image,
      weights: journal.table.weights,
      evicted: machine.evicted,
      seconds: secondsSince(plan),
    },
    next: kept ? ["./exai status", "./exai logs server"] : ["./exai rollout history"],
  };
  return ending?.outcome === wanted ? EXIT.ok : EXIT.violations;
}

/** When a standby ends, ISO 8601; undefined before it began. */
export function standbyUntil(beganAt: string | undefined, plan: RolloutPlan): string | undefined {
  return beganAt === undefined ? undefined : new Date(Date.parse(beganAt) + plan.standbySeconds * 1000).toISOString();
}

/** Whether the end of a standby has passed: it stays as it is until somebody ends it. */
export function isOver(until: string | undefined): boolean {
  return until !== undefined && Date.now() >= Date.parse(until);
}

function secondsSince(plan: RolloutPlan): number {
  return Math.round((Date.now() - Date.parse(plan.startedAt)) / 100) / 10;
}

/** The error of a verb that the present state does not allow. */
export function notNow(session: RolloutSession, problem: string, fix: string): UserError {
  return new UserError("state-conflict", `rollout (${stateLabel(session.machine)})`, problem, fix);
}
