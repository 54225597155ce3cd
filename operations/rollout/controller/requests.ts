import { isRefusal } from "../../../contract/errors.ts";
import { wait } from "../ports/context.ts";
import type { ControlAnswer, ControlRequest } from "../ports/control.ts";
import type { Verdict } from "../../../contract/verdict.ts";
import { underWay, type Machine } from "../model/machine.ts";
import { BRIEF_WAITS_MS, insisting, resultOf } from "./retry.ts";
import type { Happening, RolloutSession } from "./store.ts";
import { isUnwritable } from "../host/durable-files.ts";
import { stateLabel } from "../model/labels.ts";

/** Milliseconds between two looks for requests. */
const LISTEN_MS = 100;

/**
 * Answers requests from elsewhere while a controller works, until the signal ends it. A request that leads out of the
 * present state ends the state's work.
 *
 * @throws what keeps an answer from being journalled: a lost lease, a full disk.
 */
export async function listen(session: RolloutSession, signal: AbortSignal): Promise<void> {
  const { control } = session.context;
  while (!signal.aborted) {
    const rollout = session.machine.plan?.id;
    // A store that cannot be read has no requests; whoever waits for an answer takes over.
    const requests = rollout === undefined ? [] : await control.take(rollout).catch(() => []);
    for (const request of requests) {
      const answer = await attended(session, request);
      if (answer !== undefined) await control.answer(answer).catch(() => undefined);
    }
    await wait(session.context, LISTEN_MS, signal).catch(() => undefined);
  }
}

/**
 * The answer to a request, also where the router or the journal fails under it: no request may end the one who leads.
 * Undefined where the users could not be taken back: whoever asked then takes the lease and does it himself.
 */
export async function attended(session: RolloutSession, request: ControlRequest): Promise<ControlAnswer | undefined> {
  try {
    return await attend(session, request);
  } catch (error) {
    if (session.ended.aborted || isRefusal(error) || isUnwritable(error)) throw error;
    if (request.action === "abort" || request.action === "rollback") return undefined;
    const detail = error instanceof Error ? error.message : String(error);
    return { id: request.id, accepted: false, detail: `it could not be done: ${detail}` };
  }
}

/** Does what was asked for, or says why not. */
export async function attend(session: RolloutSession, request: ControlRequest): Promise<ControlAnswer> {
  const { machine } = session;
  const label = stateLabel(machine);
  const { id, who, why, at } = request;
  const refused = (detail: string): ControlAnswer => ({ id, accepted: false, detail });
  const act = async (event: Happening, verdicts: readonly Verdict[] = []): Promise<ControlAnswer> => {
    // A step that has passed by itself in the meantime must not take its successor with it.
    const during = request.action === "promote" ? { during: machine.state } : {};
    const moved = await resultOf(
      insisting(session, () => session.happened(event, { verdicts, who, why, ...during }), BRIEF_WAITS_MS),
    );
    const after = session.machine;
    if (after.state !== machine.state) session.leave(new Error(`${who} asked for ${request.action}`));
    return moved ? { id, accepted: true, detail: stateLabel(after) } : refused(`"${label}" knows no ${request.action}`);
  };
  switch (request.action) {
    case "pause":
      if (machine.pause !== undefined) return refused(`${machine.pause.by} has paused it at ${machine.pause.at}`);
      return underWay(machine)
        ? act({ type: "pause", pause: { by: who, reason: why, at } })
        : refused(`there is nothing to pause in "${label}"`);
    case "continue":
      return machine.pause === undefined ? refused(`"${label}" is not paused`) : act({ type: "continue" });
    case "promote": {
      if (!judged(machine)) return refused(`in "${label}" the release has no users yet that could become more`);
      if (session.judge === undefined)
        return refused(`nobody watches the gates in "${label}": ./exai rollout resume, then promote`);
      const verdicts = await session.judge();
      const bad = verdicts.filter(({ verdict }) => verdict === "fail");
      if (bad.length > 0) return refused(`failing gates: ${bad.map(({ gate }) => gate).join(", ")}`);
      return act({ type: "promote", full: request.full }, verdicts);
    }
    case "abort":
    case "rollback":
      if (request.action === "abort" && (machine.state.name === "retire" || machine.state.name === "standby"))
        return refused("the rollout is complete: ./exai rollback takes it back");
      if (machine.state.name === "rollback") return { id, accepted: true, detail: `it is being rolled back already` };
      return act({ type: "rollback", reason: why, evict: request.evict });
  }
}

function judged({ state }: Machine): boolean {
  return state.name === "shift" || state.name === "approve" || state.name === "bake";
}
