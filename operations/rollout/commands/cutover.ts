import { randomBytes } from "node:crypto";
import { SLOTS, otherSlot, type Slot } from "../../../contract/slots.ts";
import { UserError } from "../../../contract/errors.ts";
import type { Verb } from "../../../contract/events.ts";
import { SERVER_PATHS } from "../../../contract/server.ts";
import { wait, type RolloutContext } from "../ports/context.ts";
import { drive } from "../controller/controller.ts";
import { checkGates } from "../gates/settings.ts";
import { atRest, type Machine, usersSlot } from "../model/machine.ts";
import { type PlannedRanges, type PlanTimes, type RolloutPlan, timesOf } from "../model/plan.ts";
import { Prometheus } from "../gates/prometheus.ts";
import { admitCandidate } from "../controller/schema-check.ts";
import { RolloutStore } from "../controller/store.ts";
import { testerHeaders } from "../probes/smoke.ts";
import { withLease } from "../controller/outcome.ts";
import { concluded } from "./conclude.ts";
import { rolloutResult } from "../model/result.ts";
import { WINDOW_SELECTOR } from "../gates/traffic-samples.ts";
import { stateLabel } from "../model/labels.ts";

/** What a cutover is asked for; the rest are defaults. */
export interface CutoverRequest extends Partial<PlanTimes> {
  readonly image: string;
  /** The slot that the image is meant for; refused where it has the users by then. @default the one without users */
  readonly candidate?: Slot;
  /** See {@link RolloutPlan.retiresKey}. */
  readonly retiresKey?: true;
  readonly reason?: string;
  /** Hears the rollout's identifier just before it begins, so that whoever asked for it can mean this one and no other. */
  readonly named?: (rollout: string) => void;
}

/**
 * Puts an image into the idle slot and shifts the users to it step by step, or takes them back by itself.
 *
 * @returns 0 when the candidate has all users, 1 when it was rolled back.
 * @throws UserError before anything is touched: exit code 3 while another rollout runs or is unfinished, or where the users
 * are on the slot that the image is meant for.
 */
export async function* cutover(context: RolloutContext, request: CutoverRequest): Verb {
  checkGates(context.gates);
  const operation = withLease(context, "cutover", async function* (store) {
    if (!atRest(store.machine)) throw unfinished(store.machine);
    if (request.candidate === usersSlot(store.machine)) throw usersCame(request.candidate);
    await checkSurroundings(context);
    const schema = yield* admitCandidate(context, store.machine, request.image);
    // What cannot be deployed must not cost the standby, whose slot would be emptied for it. After the question for its schema,
    // which brings an image to this machine: a registry may refuse to be asked what it lets be pulled.
    await context.deployer.locate?.(request.image, context.signal);
    // The standby's slot is needed now: the last rollout is over for good.
    await store.dispatch({ type: "finish" });
    const plan = await planOf(store, request, schema);
    request.named?.(plan.id);
    yield { type: "note", level: "info", message: `rollout ${plan.id}: ${plan.image} into ${plan.candidate}` };
    if (!(await store.dispatch({ type: "start", plan }))) {
      throw stableNotReady(plan.stable);
    }
    yield* drive(store);
    return rolloutResult(store, plan);
  });
  return yield* concluded(operation, () => "completed");
}

async function planOf(store: RolloutStore, request: CutoverRequest, schema: PlannedRanges): Promise<RolloutPlan> {
  const stable = store.machine.active;
  const { defaults, deployer } = store.context;
  const { image: stableImage } = await deployer.status(stable);
  const startedAt = new Date().toISOString();
  return {
    id: `${startedAt.replace(/[-:]|\.\d+/g, "")}-${randomBytes(3).toString("hex")}`,
    stable,
    candidate: otherSlot(stable),
    image: request.image,
    ...(stableImage === undefined ? {} : { stableImage }),
    ...timesOf(request, defaults),
    ...(Object.keys(schema).length === 0 ? {} : { schema }),
    ...(request.retiresKey === undefined ? {} : { retiresKey: request.retiresKey }),
    reason: request.reason ?? "",
    by: store.context.who,
    startedAt,
  };
}

/** Why no cutover begins while the one before is not over. */
export function unfinished(machine: Machine): UserError {
  const { plan } = machine;
  return new UserError(
    "state-conflict",
    "rollout",
    `${plan?.by ?? "somebody"} left rollout ${plan?.id ?? ""} in "${stateLabel(machine)}"`,
    "./exai rollout resume, or ./exai rollout abort",
  );
}

/** Why no cutover begins to a slot that was without users when it was decided on. */
function usersCame(candidate: Slot): UserError {
  return new UserError(
    "state-conflict",
    candidate,
    "has got the users since this cutover to it was decided on",
    "./exai rollout history says why; then the same command again",
  );
}

/** Why no cutover begins without the slot that has the users. */
export function stableNotReady(stable: Slot): UserError {
  return new UserError(
    "state-conflict",
    stable,
    "the slot that has the users is not ready, so nothing can be compared with it or fall back to it",
    "./exai status, ./exai logs server",
  );
}

/** How long the router's first figures may take to reach Prometheus, in seconds: a few scrapes. */
const FIRST_FIGURES_SECONDS = 10;

/** A rollout whose gates could never have data is refused while nothing is changed yet. */
export async function checkSurroundings(context: RolloutContext): Promise<void> {
  const { prometheusUrl, traffic } = context;
  if ((await traffic.inForce()) === undefined) {
    throw new UserError("failed", "router", "it has no route table", "./exai up");
  }
  const prometheus = new Prometheus(prometheusUrl);
  const seen = async () => (await prometheus.samples(WINDOW_SELECTOR, 30)).length > 0;
  try {
    if (await seen()) return;
    // A router that nobody has asked for anything yet, such as a new one of a stack without users, counts nothing.
    await askBoth(context);
    for (let second = 0; second < FIRST_FIGURES_SECONDS; second += 1) {
      await wait(context, 1000, context.signal);
      if (await seen()) return;
    }
  } catch (error) {
    context.signal.throwIfAborted();
    throw new UserError(
      "failed",
      "gates",
      error instanceof Error ? error.message : String(error),
      "./exai up, then ./exai status",
    );
  }
  throw new UserError(
    "failed",
    "gates",
    `${prometheusUrl} holds no sample of the router of the last 30 s`,
    "see its targets: ./exai status, ./exai logs prometheus",
  );
}

/** One request to each slot, whatever comes of it. */
async function askBoth({ routerUrl, signal }: RolloutContext): Promise<void> {
  const ask = async (slot: Slot): Promise<void> => {
    const headers = testerHeaders(slot);
    const limit = AbortSignal.any([signal, AbortSignal.timeout(5000)]);
    const answer = await fetch(new URL(SERVER_PATHS.health, routerUrl), { headers, signal: limit });
    await answer.arrayBuffer();
  };
  await Promise.allSettled(SLOTS.map(ask));
}
