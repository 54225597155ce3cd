import { UserError } from "../../../contract/errors.ts";
import type { NoteEvent, Operation, ProgressEvent } from "../../../contract/events.ts";
import type { Fix } from "../../../contract/fix.ts";
import type { Announcer } from "../ports/announcer.ts";
import type { RolloutContext } from "../ports/context.ts";
import type { Holder } from "../ports/lease.ts";
import { atRest, type Machine } from "../model/machine.ts";
import type { InterruptedResult, InterruptedSlot } from "../model/result.ts";
import { within } from "../../within.ts";
import { lostLease } from "./lost-lease.ts";
import { RolloutStore } from "./store.ts";
import { stateLabel } from "../model/labels.ts";

/**
 * Runs an operation under the lease and releases the lease however the operation ends. Ctrl-C ends it with an
 * {@link InterruptedResult}.
 *
 * @param verb name of the operation, for the lease
 * @param how `seize` takes the lease from a holder that does not answer
 */
export async function* withLease<Result>(
  context: RolloutContext,
  verb: string,
  work: (store: RolloutStore) => Operation<Result>,
  how: "acquire" | "seize" = "acquire",
): Operation<Result | InterruptedResult> {
  if (how === "acquire") yield* doubt(await context.leases.holder());
  const store = await RolloutStore.open(context, verb, how);
  const { announcer, journal } = context;
  announcer?.begin(store.journal.sequence, () => journal.history());
  try {
    return yield* withProblems(work(store), announcer);
  } catch (error) {
    if (context.signal.aborted) return await interrupted(store);
    throw store.ended.aborted ? lostLease(store.ended.reason) : error;
  } finally {
    await store.close();
    // After the release of the lease: a slow receiver must not keep others waiting.
    await announcer?.end();
    yield* problems(announcer);
  }
}

/** Says why acquiring a lease takes a while: it is watched for its duration. */
export function* doubt(holder: Holder | undefined): Generator<NoteEvent, void, void> {
  if (holder?.doubtful !== true) return;
  const message = `the lease of ${holder.who} is damaged or dated ahead; watching for up to a minute whether it is renewed`;
  yield { type: "note", level: "warning", message };
}

/** The operation's events, and the announcer's failures between them. */
async function* withProblems<Result>(work: Operation<Result>, announcer: Announcer | undefined): Operation<Result> {
  try {
    for (;;) {
      const { done, value } = await work.next();
      if (done === true) return value;
      yield value;
      yield* problems(announcer);
    }
  } finally {
    await work.return(undefined as never); // if the reader leaves before the end
  }
}

function* problems(announcer: Announcer | undefined): Generator<ProgressEvent, void, void> {
  for (const message of announcer?.problems() ?? []) yield { type: "note", level: "warning", message };
}

/** Seconds in which the slot must answer that was being changed. */
const SLOT_SECONDS = 5;

async function interrupted(store: RolloutStore): Promise<InterruptedResult> {
  const { machine, journal, context, continues } = store;
  const weights = journal.table.weights;
  if (atRest(machine)) return { outcome: "interrupted", weights };
  const change = slotChange(machine);
  if (change === undefined) return { outcome: "interrupted", state: stateLabel(machine), weights };
  const status = await within(SLOT_SECONDS, context.deployer.status(change.slot)).catch(() => undefined);
  const { running, image } = status ?? {};
  const present = running === undefined ? {} : { present: { running, ...(image === undefined ? {} : { image }) } };
  return {
    ...{ outcome: "interrupted", state: stateLabel(machine), weights },
    slot: { ...change, ...present, continues },
  };
}

/** The slot that a state changes; undefined if the state changes none. */
function slotChange({ state, plan }: Machine): Pick<InterruptedSlot, "slot" | "wanted"> | undefined {
  if (plan === undefined) return undefined;
  const { stable, stableImage, candidate, image } = plan;
  if (state.name === "deploy") return { slot: candidate, wanted: image };
  if (state.name === "retire" && state.phase === "stop") return { slot: stable };
  if (state.name !== "rollback" || state.phase === "flip") return undefined;
  if (state.phase === "drain") return { slot: candidate };
  return { slot: stable, ...(stableImage === undefined ? {} : { wanted: stableImage }) };
}

/** The error of a verb that the present state does not allow. */
export function notNow(store: RolloutStore, problem: string, fix: Fix | string): UserError {
  return new UserError("state-conflict", `rollout (${stateLabel(store.machine)})`, problem, fix);
}
