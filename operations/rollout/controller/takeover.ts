import { sameTable } from "../../../contract/envoy/routes.ts";
import { EXIT, UserError } from "../../../contract/errors.ts";
import type { ExaiEvent, Verb } from "../../../contract/events.ts";
import { controlRequest, type ControlAction, type ControlAnswer, type ControlRequest } from "../ports/control.ts";
import { wait, type RolloutContext } from "../ports/context.ts";
import { drive } from "./controller.ts";
import type { Journal } from "../model/journal.ts";
import type { Holder } from "../ports/lease.ts";
import { atRest } from "../model/machine.ts";
import { refuseOther } from "./refuse-other.ts";
import type { RolloutPlan } from "../model/plan.ts";
import type { RolloutSession } from "./store.ts";
import { conclude, turn } from "./outcome.ts";

/** A verb that speaks to the one who leads a rollout, and leads it itself where nobody does. */
export interface Command {
  /** As the lease names it. */
  readonly verb: string;
  readonly action: ControlAction;
  readonly why: string;
  /** Identifier of the rollout that is meant. Absent: whichever is under way. */
  readonly rollout?: string;
  /** What the verb does where nobody leads. */
  readonly alone: (session: RolloutSession) => AsyncGenerator<ExaiEvent, number, void>;
}

/** Milliseconds between two looks for an answer, or at the journal of the one who leads. */
const LOOK_MS = 25;

/** How long a request that was seen may take to be answered, seconds: a promotion asks the gates first. */
const ANSWER_SECONDS = 20;

/**
 * Asks the one who leads, if somebody does. A rollback does not depend on a controller that hangs: where it does not see
 * the request in time, the verb takes the lease from it and acts itself; the former holder can write nothing any more.
 *
 * @throws UserError with exit code 3 when the one who leads refuses, or does not answer to anything but a rollback.
 */
export async function* command(context: RolloutContext, wish: Command): Verb {
  const { verb, action, alone } = wish;
  const takesBack = action.action === "rollback" || action.action === "abort";
  const holder = await context.leases.holder();
  const machine = holder === undefined ? undefined : (await context.journal.read())?.machine;
  const plan = machine?.plan;
  if (machine !== undefined) refuseOther(machine, wish.rollout);
  if (holder === undefined || plan === undefined) return yield* turn(context, verb, alone);
  const answer = await ask(context, controlRequest(action, plan.id, context.who, wish.why), takesBack);
  const name = `${holder.who} (\`${holder.verb}\`, process ${String(holder.pid)})`;
  if (answer === undefined) {
    // By the clocks it may be gone. Taking the lease watches it for as long as it lasts, which a rollback does not wait for.
    if (!takesBack && holder.doubtful === true) return yield* turn(context, verb, alone);
    if (!takesBack) throw unheard(name);
    yield { type: "note", level: "warning", message: `${name} does not answer: taking the rollout over` };
    return yield* turn(context, verb, alone, "seize");
  }
  if (!answer.accepted) {
    throw new UserError("state-conflict", "rollout", `${name} refuses: ${answer.detail}`, "./exai rollout status");
  }
  if (takesBack) return yield* follow(context, wish, plan, holder);
  yield {
    type: "result",
    title: `${answer.detail}: ${name} goes on`,
    data: { rollout: plan.id, state: answer.detail, holder },
    next: ["./exai rollout status"],
  };
  return EXIT.ok;
}

function unheard(name: string): UserError {
  return new UserError(
    "state-conflict",
    "rollout lease",
    `${name} holds it and does not answer`,
    "./exai rollback takes it over, whatever that process does; or end the process, then: ./exai rollout resume",
  );
}

async function ask(
  context: RolloutContext,
  request: ControlRequest,
  urgent: boolean,
): Promise<ControlAnswer | undefined> {
  const { control } = context;
  const started = performance.now();
  let seen = false;
  try {
    await control.post(request);
    for (;;) {
      const answer = await control.answerTo(request.id);
      if (answer !== undefined) return answer;
      const seconds = (performance.now() - started) / 1000;
      if (!seen && seconds > control.patienceSeconds) {
        // Whoever takes it up later must not find it: the one who asked has given up.
        if (await control.withdraw(request.id)) return undefined;
        seen = true;
      }
      if (seen && seconds > (urgent ? 2 * control.patienceSeconds : ANSWER_SECONDS)) return undefined;
      await wait(context, LOOK_MS, context.signal);
    }
  } catch (error) {
    // It must not move a rollout that is resumed later. A rollback stands unless it was ended by Ctrl-C: the one who leads
    // may obey although his answer cannot be read.
    if (!urgent || context.signal.aborted) await control.withdraw(request.id).catch(() => undefined);
    throw error;
  }
}

/** Tells what the one who leads does, and takes over where it stops doing it before the users are back. */
async function* follow(context: RolloutContext, wish: Command, plan: RolloutPlan, holder: Holder): Verb {
  const over = (how: "acquire" | "seize"): Verb =>
    turn(
      context,
      wish.verb,
      async function* (session) {
        yield* drive(session);
        return yield* conclude(session, plan, "rolled-back");
      },
      how,
    );
  let seen = -1;
  let moved = performance.now();
  for (;;) {
    const journal = await context.journal.read();
    if (journal === undefined || journal.machine.plan?.id !== plan.id || atRest(journal.machine)) {
      if (journal !== undefined) return yield* conclude({ machine: journal.machine, journal }, plan, "rolled-back");
      throw unheard(holder.who);
    }
    if (journal.sequence !== seen) {
      yield* told(journal);
      seen = journal.sequence;
      moved = performance.now();
    }
    if ((await context.leases.holder()) === undefined) return yield* over("acquire");
    if (performance.now() - moved > (await stallSeconds(context, journal)) * 1000) return yield* over("seize");
    await wait(context, LOOK_MS, context.signal);
  }
}

/** How long the one who leads may take for the present phase: least while the users are not back yet. */
async function stallSeconds({ traffic, control, deadlines }: RolloutContext, journal: Journal): Promise<number> {
  const { state } = journal.machine;
  const { patienceSeconds } = control;
  if (state.name !== "rollback") return 2 * patienceSeconds;
  // Stopping takes the grace time; deploying includes what was being deployed when the rollback came.
  if (state.phase === "drain") return deadlines.graceSeconds + 20 * patienceSeconds;
  if (state.phase === "revive") return 2 * deadlines.readySeconds + 20 * patienceSeconds;
  const present = await traffic.inForce().catch(() => undefined);
  return present !== undefined && sameTable(present, journal.table) ? 10 * patienceSeconds : 2 * patienceSeconds;
}

function* told({ entry }: Journal): Generator<ExaiEvent, void, void> {
  if (entry === undefined) return;
  const detail = entry.reason;
  yield { type: "step", id: entry.to, title: entry.label, status: "started", detail };
}
