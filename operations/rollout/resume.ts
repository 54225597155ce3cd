import { EXIT } from "../../contract/errors.ts";
import type { Verb } from "../../contract/events.ts";
import type { RolloutContext } from "./context.ts";
import { drive } from "./controller.ts";
import { atRest, stateLabel } from "./machine.ts";
import { conclude, notNow, standbyUntil, turn } from "./turn.ts";

/**
 * Goes on where a rollout was left: killed, interrupted or cut off from its journal. A step begins anew, with a full
 * hold, since nobody has watched it. At rest it only brings the router to the journal's table.
 */
export async function* resume(context: RolloutContext): Verb {
  return yield* turn(context, "rollout resume", async function* (session) {
    const { machine, journal } = session;
    const { plan } = machine;
    if (machine.state.name === "standby" && plan !== undefined) {
      const until = standbyUntil(journal.entry?.at, plan);
      if (until !== undefined && Date.now() >= Date.parse(until)) await session.happened({ type: "finish" });
    }
    const milliseconds = await session.enforce();
    if (atRest(session.machine) || plan === undefined) {
      const mended = milliseconds > 0 ? "; the router had another table and has the journal's now" : "";
      const message = `nothing to resume: ${stateLabel(session.machine)}, ${machine.active} has the users${mended}`;
      yield { type: "note", level: "info", message };
      return EXIT.ok;
    }
    const message = `resuming ${plan.id} of ${plan.by} in "${stateLabel(machine)}"`;
    yield { type: "note", level: "info", message };
    yield* drive(session);
    return yield* conclude(session, plan);
  });
}

/**
 * Takes an unfinished rollout back.
 *
 * @throws UserError with exit code 3 when the rollout is complete: that is what `rollback` is for.
 */
export async function* abort(context: RolloutContext, request: { readonly reason?: string }): Verb {
  return yield* turn(context, "rollout abort", async function* (session) {
    const { plan, state } = session.machine;
    if (plan === undefined) {
      await session.enforce();
      yield { type: "note", level: "info", message: `nothing to abort: ${session.machine.active} has all users` };
      return EXIT.ok;
    }
    if (state.name === "standby") {
      throw notNow(session, `rollout ${plan.id} is complete: ${plan.candidate} has all users`, "./exai rollback");
    }
    const reason = request.reason ?? "asked for by ./exai rollout abort";
    await session.happened({ type: "rollback", reason, evict: false });
    yield* drive(session);
    return yield* conclude(session, plan);
  });
}
