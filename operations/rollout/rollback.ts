import { EXIT } from "../../contract/errors.ts";
import type { Verb } from "../../contract/events.ts";
import { otherColour } from "../../contract/colours.ts";
import type { RolloutContext } from "./context.ts";
import { drive } from "./controller.ts";
import { admitRollback } from "./schema.ts";
import { conclude, notNow, turn } from "./turn.ts";

export interface RollbackRequest {
  readonly reason?: string;
  /**
   * Also sends the MCP sessions of the colour that is left away (404), so that their clients initialise on the other
   * one. Without it they stay where they are, and nobody loses anything.
   */
  readonly emergency?: boolean;
  /** Goes back although the schema has moved past what the old release declares. */
  readonly acceptSchema?: boolean;
}

/**
 * Gives the users back to the colour that had them before. While it is warm, this is one change of weights.
 *
 * @throws UserError with exit code 3 when there is nothing to take back.
 */
export async function* rollback(context: RolloutContext, request: RollbackRequest): Verb {
  return yield* turn(context, "rollback", async function* (session) {
    const { machine } = session;
    const { plan } = machine;
    if (plan === undefined) {
      const idle = otherColour(machine.active);
      throw notNow(
        session,
        `no rollout is running or warm: ${machine.active} has the users since ${session.journal.entry?.at ?? "the start"}`,
        `./exai cutover --image IMAGE puts an earlier image into ${idle}; ./exai rollout history names them`,
      );
    }
    yield* admitRollback(context, plan, request.acceptSchema === true);
    const reason = request.reason ?? "asked for by ./exai rollback";
    await session.happened({ type: "rollback", reason, evict: request.emergency === true });
    yield* drive(session);
    const code = yield* conclude(session, plan);
    if (session.machine.evicted.length === 0 && code === EXIT.ok) {
      const message = `MCP sessions and WebSockets that are open on ${plan.candidate} stay there until it is deployed anew`;
      yield { type: "note", level: "info", message };
    }
    return code;
  });
}
