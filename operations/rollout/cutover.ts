import { randomBytes } from "node:crypto";
import { otherColour } from "../../contract/colours.ts";
import { EXIT, UserError } from "../../contract/errors.ts";
import type { Verb } from "../../contract/events.ts";
import type { RolloutContext } from "./context.ts";
import { drive } from "./controller.ts";
import { checkGates } from "./gates.ts";
import { atRest, stateLabel } from "./machine.ts";
import {
  DEFAULT_BAKE_SECONDS,
  DEFAULT_DRAIN_SECONDS,
  DEFAULT_HOLD_SECONDS,
  DEFAULT_STANDBY_SECONDS,
  DEFAULT_STEPS,
  type RolloutPlan,
} from "./plan.ts";
import { Prometheus } from "./prometheus.ts";
import { admitCandidate, type PlannedRanges } from "./schema.ts";
import { RolloutSession } from "./session.ts";
import { conclude, turn } from "./turn.ts";
import { WINDOW_SELECTOR } from "./window.ts";

/** What a cutover is asked for; the rest are defaults. */
export interface CutoverRequest {
  readonly image: string;
  readonly steps?: readonly number[];
  readonly holdSeconds?: number;
  readonly bakeSeconds?: number;
  readonly standbySeconds?: number;
  readonly drainSeconds?: number;
  readonly approval?: boolean;
  readonly reason?: string;
}

/**
 * Puts an image into the idle slot and shifts the users to it step by step, or takes them back by itself.
 *
 * @returns 0 when the candidate has all users, 1 when it was rolled back.
 * @throws UserError before anything is touched: exit code 3 while another rollout runs or is unfinished.
 */
export async function* cutover(context: RolloutContext, request: CutoverRequest): Verb {
  checkGates(context.gates);
  return yield* turn(context, "cutover", async function* (session) {
    if (!atRest(session.machine)) throw unfinished(session);
    await checkSurroundings(session);
    const schema = yield* admitCandidate(context, session.machine, request.image);
    // The standby's slot is needed now: the last rollout is over for good.
    await session.happened({ type: "finish" });
    const plan = await planOf(session, request, schema);
    if (!(await session.happened({ type: "start", plan }))) {
      throw new UserError(
        plan.stable,
        "the colour that has the users is not ready, so nothing can be compared with it or fall back to it",
        "./exai status, ./exai logs server",
        EXIT.refused,
      );
    }
    yield* drive(session);
    return yield* conclude(session, plan, "completed");
  });
}

async function planOf(session: RolloutSession, request: CutoverRequest, schema: PlannedRanges): Promise<RolloutPlan> {
  const stable = session.machine.active;
  const { defaults, deployer } = session.context;
  const { image: stableImage } = await deployer.status(stable);
  const startedAt = new Date().toISOString();
  return {
    id: `${startedAt.replace(/[-:]|\.\d+/g, "")}-${randomBytes(3).toString("hex")}`,
    stable,
    candidate: otherColour(stable),
    image: request.image,
    ...(stableImage === undefined ? {} : { stableImage }),
    steps: request.steps ?? DEFAULT_STEPS,
    holdSeconds: request.holdSeconds ?? DEFAULT_HOLD_SECONDS,
    bakeSeconds: request.bakeSeconds ?? DEFAULT_BAKE_SECONDS,
    standbySeconds: request.standbySeconds ?? defaults.standbySeconds ?? DEFAULT_STANDBY_SECONDS,
    drainSeconds: request.drainSeconds ?? defaults.drainSeconds ?? DEFAULT_DRAIN_SECONDS,
    approval: request.approval ?? defaults.approval ?? false,
    ...(Object.keys(schema).length === 0 ? {} : { schema }),
    reason: request.reason ?? "",
    by: session.context.who,
    startedAt,
  };
}

function unfinished(session: RolloutSession): UserError {
  const { plan } = session.machine;
  return new UserError(
    "rollout",
    `${plan?.by ?? "somebody"} left rollout ${plan?.id ?? ""} in "${stateLabel(session.machine)}"`,
    "./exai rollout resume, or ./exai rollout abort",
    EXIT.refused,
  );
}

/** A rollout whose gates could never have data is refused while nothing is changed yet. */
async function checkSurroundings(session: RolloutSession): Promise<void> {
  const { prometheusUrl, traffic } = session.context;
  if ((await traffic.inForce()) === undefined) {
    throw new UserError("router", "it has no route table", "./exai up");
  }
  let series;
  try {
    series = await new Prometheus(prometheusUrl).samples(WINDOW_SELECTOR, 30);
  } catch (error) {
    throw new UserError(
      "gates",
      error instanceof Error ? error.message : String(error),
      "./exai up, then ./exai status",
    );
  }
  if (series.length === 0) {
    throw new UserError(
      "gates",
      `${prometheusUrl} holds no sample of the router of the last 30 s`,
      "wait for its first scrapes, or see its targets: ./exai status, ./exai logs prometheus",
    );
  }
}
