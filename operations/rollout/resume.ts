import { EXIT } from "../../contract/errors.ts";
import type { Verb } from "../../contract/events.ts";
import type { RolloutContext } from "./context.ts";
import { drive } from "./controller.ts";
import { atRest, stateLabel } from "./machine.ts";
import { command } from "./reach.ts";
import { conclude, isOver, notNow, standbyUntil } from "./turn.ts";

/**
 * Lets a paused rollout go on, and goes on where one was left: killed, interrupted or cut off from its journal. A step
 * begins anew, with a full hold, since nobody has watched it. At rest it only brings the router to the journal's table.
 */
export async function* resume(context: RolloutContext): Verb {
  return yield* command(context, {
    verb: "rollout resume",
    action: { action: "continue" },
    why: "asked for by ./exai rollout resume",
    alone: async function* (session) {
      const { machine, journal } = session;
      const { plan } = machine;
      if (machine.state.name === "standby" && plan !== undefined) {
        if (isOver(standbyUntil(journal.entry?.at, plan))) await session.happened({ type: "finish" });
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
      await session.happened({ type: "continue" });
      yield* drive(session);
      const automatic = session.machine.ending?.automatic === true;
      // Going on with what a person has begun to take back is going on as well.
      return yield* conclude(
        session,
        plan,
        machine.state.name === "rollback" && !automatic ? "rolled-back" : "completed",
      );
    },
  });
}

/**
 * Takes an unfinished rollout back, also one that another process leads.
 *
 * @throws UserError with exit code 3 when the rollout is complete: that is what `rollback` is for.
 */
export async function* abort(
  context: RolloutContext,
  request: { readonly reason?: string; readonly keepSessions?: boolean },
): Verb {
  const why = request.reason ?? "asked for by ./exai rollout abort";
  const evict = request.keepSessions !== true;
  return yield* command(context, {
    verb: "rollout abort",
    action: { action: "abort", evict },
    why,
    alone: async function* (session) {
      const { plan, state } = session.machine;
      if (plan === undefined) {
        await session.enforce();
        yield { type: "note", level: "info", message: `nothing to abort: ${session.machine.active} has all users` };
        return EXIT.ok;
      }
      if (state.name === "standby" || state.name === "retire") {
        throw notNow(session, `rollout ${plan.id} is complete: ${plan.candidate} has all users`, "./exai rollback");
      }
      const ready = await session.lookQuickly(context.ahead?.readiness.answer());
      await session.happened({ type: "rollback", reason: why, evict }, { look: { ready } });
      yield* drive(session);
      return yield* conclude(session, plan, "rolled-back");
    },
  });
}
