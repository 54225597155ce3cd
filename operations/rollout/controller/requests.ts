import { isRefusal } from "../../../contract/errors.ts";
import type { Verdict } from "../../../contract/verdict.ts";
import { isUnwritable } from "../host/durable-files.ts";
import { stateLabel } from "../model/labels.ts";
import { hasGates, underWay } from "../model/machine.ts";
import { wait } from "../ports/context.ts";
import type { ControlAnswer, ControlRequest } from "../ports/control.ts";
import { BRIEF_DELAYS_MS, resultOf, retryTransient } from "./retry.ts";
import { Requested, StateRun } from "./state-run.ts";
import type { RolloutStore } from "./store.ts";
import type { EventInput } from "./transition.ts";

/** Milliseconds between two polls for requests. */
const POLL_MS = 100;

/** The run of the present state; undefined if no controller runs. */
type Present = () => StateRun | undefined;

/**
 * Answers the requests of other processes until the signal aborts. A request that changes the state ends the state's handler.
 *
 * @throws what prevents that an answer is journalled: a lost lease, a full disk
 */
export async function serveRequests(store: RolloutStore, present: Present, signal: AbortSignal): Promise<void> {
  const { control } = store.context;
  while (!signal.aborted) {
    const rollout = store.machine.plan?.id;
    // If requests cannot be read there are none; a process that waits for an answer takes over.
    const requests = rollout === undefined ? [] : await control.take(rollout).catch(() => []);
    for (const request of requests) {
      const answer = await answerRequest(store, request, present);
      if (answer !== undefined) await control.answer(answer).catch(() => undefined);
    }
    await wait(store.context, POLL_MS, signal).catch(() => undefined);
  }
}

/**
 * The answer to a request, even if the router or the journal fails: a request must not end the leader. Undefined if a
 * rollback failed: then the requesting process seizes the lease and rolls back.
 */
export async function answerRequest(
  store: RolloutStore,
  request: ControlRequest,
  present?: Present,
): Promise<ControlAnswer | undefined> {
  try {
    return await handleRequest(store, request, present);
  } catch (error) {
    if (store.ended.aborted || isRefusal(error) || isUnwritable(error)) throw error;
    if (request.action === "abort" || request.action === "rollback") return undefined;
    const problem = error instanceof Error ? error.message : String(error);
    return { id: request.id, accepted: false, problem: `failed: ${problem}` };
  }
}

/** Does what a request asks for, or refuses it. */
export async function handleRequest(
  store: RolloutStore,
  request: ControlRequest,
  present: Present = () => undefined,
): Promise<ControlAnswer> {
  const { machine } = store;
  const label = stateLabel(machine);
  const { id, who, why, at } = request;
  const accepted = (): ControlAnswer => ({ id, accepted: true, state: stateLabel(store.machine) });
  const refused = (problem: string, command?: string): ControlAnswer => ({
    ...{ id, accepted: false, problem },
    ...(command === undefined ? {} : { command }),
  });
  const act = async (event: EventInput, verdicts: readonly Verdict[] = []): Promise<ControlAnswer> => {
    // A promotion of a step that has passed in the meantime must not promote the next step.
    const during = request.action === "promote" ? { during: machine.state } : {};
    const moved = await resultOf(
      retryTransient(
        present() ?? new StateRun(store),
        () => store.dispatch(event, { verdicts, who, why, ...during }),
        BRIEF_DELAYS_MS,
      ),
    );
    if (store.machine.state !== machine.state) present()?.leave(new Requested(request));
    return moved ? accepted() : refused(`cannot ${request.action} during "${label}"`);
  };
  switch (request.action) {
    case "pause":
      if (machine.pause !== undefined) return refused(`already paused by ${machine.pause.by} at ${machine.pause.at}`);
      return underWay(machine)
        ? act({ type: "pause", pause: { by: who, reason: why, at } })
        : refused(`cannot pause during "${label}"`);
    case "continue":
      return machine.pause === undefined ? refused(`"${label}" is not paused`) : act({ type: "continue" });
    case "promote": {
      if (machine.state.name === "hooks") return refused(`cannot promote during "${label}": the hooks decide`);
      if (!hasGates(machine.state)) return refused(`cannot promote during "${label}": the release has no users yet`);
      const judge = present()?.judge;
      if (judge === undefined) return refused(`no process watches the gates in "${label}"`, "rollout resume");
      const verdicts = await judge();
      const failing = verdicts.filter(({ verdict }) => verdict === "fail").map(({ gate }) => gate);
      if (failing.length > 0) return refused(`failing gates: ${failing.join(", ")}`);
      return act({ type: "promote", full: request.full }, verdicts);
    }
    case "abort":
    case "rollback":
      if (request.action === "abort" && (machine.state.name === "retire" || machine.state.name === "standby"))
        return refused("the rollout is complete", "rollback");
      if (machine.state.name === "rollback") return accepted();
      return act({ type: "rollback", reason: why, evict: request.evict });
  }
}
