import { randomBytes } from "node:crypto";
import type { PlannedHook } from "../../../contract/hooks.ts";
import { SLOTS, otherSlot, type Slot } from "../../../contract/slots.ts";
import { UserError } from "../../../contract/errors.ts";
import type { Operation } from "../../../contract/events.ts";
import { command, fix } from "../../../contract/fix.ts";
import { SERVER_PATHS } from "../../../contract/server.ts";
import { wait, type RolloutContext } from "../ports/context.ts";
import { drive } from "../controller/controller.ts";
import { checkGates } from "../gates/settings.ts";
import { atRest, type Machine, usersSlot } from "../model/machine.ts";
import { type PlannedRanges, type PlanTimes, type RolloutPlan, timesOf } from "../model/plan.ts";
import { Prometheus } from "../gates/prometheus.ts";
import { admitCandidate } from "../controller/schema-check.ts";
import { RolloutStore } from "../controller/store.ts";
import { withLease } from "../controller/outcome.ts";
import { rolloutResult, type InterruptedResult, type RolloutResult } from "../model/result.ts";
import { WINDOW_SELECTOR } from "../gates/traffic-samples.ts";
import { stateLabel } from "../model/labels.ts";

/** Request of a cutover. Times that are absent are the settings' or the defaults. */
export interface CutoverRequest extends Partial<PlanTimes> {
  readonly image: string;
  /** The slot for the image; the cutover is refused if that slot has the users by then. @default the one without users */
  readonly candidate?: Slot;
  /** See {@link RolloutPlan.retiresKey}. */
  readonly retiresKey?: true;
  readonly reason?: string;
  /** Whether the stack's hooks are left out: their receiver is down, and the release is urgent. */
  readonly skipHooks?: boolean;
  /** Whether the users' own image is deployed once more. @default true */
  readonly again?: boolean;
  /** Called with the rollout's identifier just before it starts, so that the caller can later refer to this rollout. */
  readonly onIdentifier?: (rollout: string) => void;
}

/**
 * Deploys an image into the idle slot and shifts the users to it step by step. Rolls back automatically if a step fails.
 *
 * @throws UserError before anything is changed: `lock-held` or `state-conflict` while another rollout is unfinished, or if
 *   the users are on the requested slot
 */
export async function* cutover(
  context: RolloutContext,
  request: CutoverRequest,
): Operation<RolloutResult | InterruptedResult> {
  checkGates(context.gates);
  return yield* withLease(context, "cutover", async function* (store) {
    if (!atRest(store.machine)) throw unfinished(store.machine);
    // Left by a process that was killed; the plan of this cutover takes their place.
    if (store.machine.unreported !== undefined) yield* drive(store);
    if (request.candidate === usersSlot(store.machine)) throw usersMoved(request.candidate);
    await checkImage(context, usersSlot(store.machine), request);
    await checkEnvironment(context);
    const schema = yield* admitCandidate(context, store.machine, request.image);
    // An image that cannot be deployed must not end the standby, whose slot it needs. This comes after the schema's check, which
    // pulls an image to this machine: a registry may refuse a query for an image that it lets be pulled.
    await context.deployer.locate?.(request.image, context.signal);
    // The cutover needs the standby's slot: this ends the last rollout.
    await store.dispatch({ type: "finish" });
    const plan = await planOf(store, request, schema);
    request.onIdentifier?.(plan.id);
    yield { type: "note", level: "info", message: `rollout ${plan.id}: ${plan.image} into ${plan.candidate}` };
    if (!(await store.dispatch({ type: "start", plan }))) {
      throw stableNotReady(plan.stable);
    }
    yield* drive(store);
    return rolloutResult(store, plan);
  });
}

async function planOf(store: RolloutStore, request: CutoverRequest, schema: PlannedRanges): Promise<RolloutPlan> {
  const stable = store.machine.active;
  const { defaults, deployer } = store.context;
  const hooks = hooksOf(store.context, request);
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
    ...(hooks.length === 0 ? {} : { hooks }),
    ...(request.retiresKey === undefined ? {} : { retiresKey: request.retiresKey }),
    reason: request.reason ?? "",
    by: store.context.who,
    startedAt,
  };
}

/** The hooks of a cutover. */
export function hooksOf(
  context: RolloutContext,
  { skipHooks = false }: Pick<CutoverRequest, "skipHooks">,
): readonly PlannedHook[] {
  return skipHooks ? [] : (context.hooks?.hooks ?? []);
}

/** The error of a cutover while the last rollout is unfinished. */
export function unfinished(machine: Machine): UserError {
  const { plan } = machine;
  return new UserError(
    "state-conflict",
    "rollout",
    `rollout ${plan?.id ?? ""} of ${plan?.by ?? "another user"} is unfinished, in "${stateLabel(machine)}"`,
    fix`${command("rollout resume")}, or ${command("rollout abort")}`,
  );
}

/** The error of a cutover to a slot that has got the users since the cutover was requested. */
function usersMoved(candidate: Slot): UserError {
  return new UserError(
    "state-conflict",
    candidate,
    "has got the users since the cutover to it was requested",
    fix`see ${command("rollout history")}, then run the same command again`,
  );
}

/** @throws UserError if the users have the image already, and it is not wanted again */
export async function checkImage(
  { deployer }: RolloutContext,
  active: Slot,
  { image, again = true }: Pick<Partial<CutoverRequest>, "image" | "again">,
): Promise<void> {
  if (again || image === undefined) return;
  const present = await deployer.status(active);
  if (present.image !== image) return;
  const digest = await deployer.digestOf?.(image);
  if (digest !== undefined && digest !== present.digest) return;
  throw new UserError(
    "state-conflict",
    image,
    `is the image that all users have, in ${active}`,
    fix`${command(`cutover --image ${image} --again`)} deploys it once more`,
  );
}

/** The error of a cutover without a ready slot to compare with and to roll back to. */
export function stableNotReady(stable: Slot): UserError {
  return new UserError(
    "state-conflict",
    stable,
    "the slot that has the users is not ready, so the gates cannot compare with it and a rollback cannot return to it",
    fix`${command("status")}, ${command("logs server")}`,
  );
}

/** Longest time until the router's first samples reach Prometheus, in seconds: a few scrapes. */
const FIRST_SAMPLES_SECONDS = 10;

/**
 * Checks before anything is changed that the gates can get data.
 *
 * @throws UserError if the router has no table, or Prometheus has no samples of it
 */
export async function checkEnvironment(context: RolloutContext): Promise<void> {
  const { prometheusUrl, traffic } = context;
  if ((await traffic.inForce()) === undefined)
    throw new UserError("unavailable", "router", "has no route table", fix`${command("up")}`);
  const prometheus = new Prometheus(prometheusUrl);
  const hasSamples = async () => (await prometheus.samples(WINDOW_SELECTOR, 30)).length > 0;
  try {
    if (await hasSamples()) return;
    // A router that has had no request yet, as in a new stack, has no samples.
    await requestBoth(context);
    for (let second = 0; second < FIRST_SAMPLES_SECONDS; second += 1) {
      await wait(context, 1000, context.signal);
      if (await hasSamples()) return;
    }
  } catch (error) {
    context.signal.throwIfAborted();
    throw new UserError(
      "unavailable",
      "gates",
      error instanceof Error ? error.message : String(error),
      fix`${command("up")}, then ${command("status")}`,
    );
  }
  throw new UserError(
    "unavailable",
    "gates",
    `${prometheusUrl} has no sample of the router of the last 30 s`,
    fix`check its targets: ${command("status")}, ${command("logs prometheus")}`,
  );
}

/** Sends one request to each slot, and ignores the answers. */
async function requestBoth({ access, routerUrl, signal }: RolloutContext): Promise<void> {
  const ask = async (slot: Slot): Promise<void> => {
    const headers = await access.probe(slot);
    const limit = AbortSignal.any([signal, AbortSignal.timeout(5000)]);
    const answer = await fetch(new URL(SERVER_PATHS.health, routerUrl), { headers, signal: limit });
    await answer.arrayBuffer();
  };
  await Promise.allSettled(SLOTS.map(ask));
}
