import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { Slot } from "../../contract/slots.ts";
import { UserError } from "../../contract/errors.ts";
import type { NoteEvent, Operation, StepEvent } from "../../contract/events.ts";
import { command, fix } from "../../contract/fix.ts";
import type { RolloutContext } from "../rollout/ports/context.ts";
import { cutover, type CutoverRequest } from "../rollout/commands/cutover.ts";
import { resume } from "../rollout/commands/resume.ts";
import { currentUser } from "../rollout/host/process-identity.ts";
import { firstJournal } from "../rollout/model/journal.ts";
import { stateLabel } from "../rollout/model/labels.ts";
import { atRest, type Machine, usersSlot } from "../rollout/model/machine.ts";
import type { InterruptedResult, RolloutResult } from "../rollout/model/result.ts";
import type { LeaseStore } from "../rollout/ports/lease.ts";
import {
  abortedRotation,
  advanced,
  deployed,
  deploying,
  ended,
  nextStep,
  startedRotation,
  unfinishedRotation,
  type Rotation,
} from "./rotation.ts";
import type { RotationStore } from "./store.ts";

/** What a rotation needs. */
export interface RotationContext {
  readonly store: RotationStore;
  /** Runs work on the stack's rollout, whose deployer gives a slot the keys that the record wants at that time. */
  readonly rollout: <Result>(work: (context: RolloutContext) => Operation<Result>) => Operation<Result>;
  /** Keeps a second rotation out. */
  readonly leases: LeaseStore;
  /** Passes the keys to what serves both slots, such as an edge function. Absent: there is none. */
  readonly share?: (signal: AbortSignal) => Promise<void>;
  readonly signal: AbortSignal;
}

export interface RotateRequest {
  /** Longest life of a token, for a new rotation. */
  readonly lifetimeSeconds: number;
  /** Waits until the tokens of the old key have expired, instead of returning `waiting`. */
  readonly wait?: boolean;
  readonly reason?: string;
  /** For each of the cutovers. */
  readonly cutover?: Pick<CutoverRequest, "steps" | "holdSeconds" | "bakeSeconds" | "drainSeconds">;
}

/** How a run of a rotation ended. */
export type RotationResult =
  /** The new key is the only one that is accepted. */
  | { readonly outcome: "replaced"; readonly rotation: Rotation }
  /** The rotation was aborted: the previous key is the only one that is accepted. */
  | { readonly outcome: "reverted"; readonly rotation: Rotation }
  /** Both slots accept both keys; tokens of the other key expire at `until` (ISO 8601), and the next run continues then. */
  | { readonly outcome: "waiting"; readonly rotation: Rotation; readonly until: string }
  /** A cutover did not complete. No token is rejected meanwhile; the next run continues. */
  | {
      readonly outcome: "cutover-failed";
      readonly rotation: Rotation;
      readonly cutover: RolloutResult | InterruptedResult;
    };

/** The verb that holds the lease. */
const VERB = "secrets rotate";
const ROTATE = command("secrets rotate jwt");

/**
 * Replaces the key for tokens slot by slot, by cutovers to the same image, so that no unexpired token is rejected. Starts a
 * rotation, or continues the one that is under way; after it was killed at any point, another run continues it.
 *
 * @throws UserError `lock-held` or `state-conflict` while another rollout is unfinished or in standby
 */
export function rotateJwt(context: RotationContext, request: RotateRequest): Operation<RotationResult> {
  return withLease(context, async function* () {
    let rotation = await context.store.read();
    if (!unfinishedRotation(rotation)) {
      refuseOthers((yield* readRollout(context)).machine, undefined);
      rotation = await begin(context.store, request);
      const message = `rotation ${rotation.id}: ${keyName(rotation, "next")} replaces ${keyName(rotation, "current")}`;
      yield { type: "note", level: "info", message };
    }
    return yield* drive(context, rotation, request);
  });
}

/**
 * Returns to the key that the rotation started from. If clients have tokens of the new key, this takes as long as the
 * rotation itself.
 *
 * @throws UserError `state-conflict` if no rotation is under way, or it can no longer be aborted
 */
export function abortRotation(context: RotationContext, request: RotateRequest): Operation<RotationResult> {
  return withLease(context, async function* () {
    const rotation = await context.store.read();
    if (!unfinishedRotation(rotation))
      throw new UserError(
        "state-conflict",
        "secrets",
        "no rotation is under way",
        fix`${command("secrets status")} shows the last one`,
      );
    const aborted = abortedRotation(rotation);
    if (aborted === undefined)
      throw new UserError(
        "state-conflict",
        `rotation ${rotation.id}`,
        "cannot be aborted any more: both slots accept only the new key",
        fix`${ROTATE} completes it; a second rotation replaces the key again`,
      );
    if (aborted !== rotation) await context.store.write(aborted);
    const message = aborted.nextSigned
      ? "clients may have tokens of the new key: it is replaced like any other key"
      : "the new key has signed nothing: the slots drop it";
    yield { type: "note", level: "info", message };
    return yield* drive(context, aborted, request);
  });
}

async function* withLease(context: RotationContext, work: () => Operation<RotationResult>): Operation<RotationResult> {
  const lease = await context.leases.acquire(VERB);
  try {
    return yield* work();
  } finally {
    await lease.release();
  }
}

async function begin(store: RotationStore, request: RotateRequest): Promise<Rotation> {
  const startedAt = new Date().toISOString();
  const rotation = startedRotation({
    id: `${startedAt.replace(/[-:]|\.\d+/g, "")}-${randomBytes(3).toString("hex")}`,
    startedAt,
    by: currentUser(),
    reason: request.reason ?? "",
    kids: await store.prepare(),
    lifetimeSeconds: request.lifetimeSeconds,
  });
  await store.write(rotation);
  return rotation;
}

async function* drive(context: RotationContext, from: Rotation, request: RotateRequest): Operation<RotationResult> {
  const { store, signal } = context;
  let rotation = from;
  const keep = async (next: Rotation): Promise<void> => {
    await store.write(next);
    rotation = next;
  };
  for (;;) {
    signal.throwIfAborted();
    const { machine, image } = yield* readRollout(context);
    refuseOthers(machine, rotation);
    if (!atRest(machine)) {
      yield* context.rollout((rollout) => resume(rollout));
      continue;
    }
    const late = completedSlot(rotation, machine);
    if (late !== undefined) await keep(deployed(rotation, late));
    const active = usersSlot(machine);
    const step = nextStep(rotation, active, Date.now());
    switch (step.type) {
      case "cutover": {
        if (image === undefined)
          throw new UserError(
            "state-conflict",
            active,
            "has the users, but its image is unknown",
            fix`${command("status")}`,
          );
        await keep(deploying(rotation, step.slot, step.keys));
        yield note(rotation, `${step.slot} gets the keys ${step.keys}, and the users`);
        const wanted: CutoverRequest = {
          ...{ ...request.cutover, image, candidate: step.slot, reason: reasonOf(rotation, step.slot) },
          // A client with a stolen key or a token that never expires must not keep the old key in use.
          ...(rotation.phase === "retire" ? { retiresKey: true } : {}),
        };
        const result = yield* context.rollout((rollout) => cutover(rollout, wanted));
        if (result.outcome !== "completed") return { outcome: "cutover-failed", rotation, cutover: result };
        await keep(deployed(rotation, step.slot));
        break;
      }
      case "wait":
        if (request.wait !== true) return { outcome: "waiting", rotation, until: step.until };
        yield waiting(rotation, step.until);
        await sleep(Math.min(Math.max(0, Date.parse(step.until) - Date.now()), 60_000), undefined, { signal });
        break;
      case "sign":
        await context.share?.(signal);
        await keep(advanced(rotation, "sign", new Date().toISOString()));
        yield note(rotation, `every slot accepts both keys; ${keyName(rotation, rotation.signing)} signs from now on`);
        break;
      case "introduce":
      case "retire":
        await keep(advanced(rotation, step.type, new Date().toISOString()));
        yield note(rotation, BECAUSE[step.type]);
        break;
      case "settle": {
        // The record that the rotation cannot be aborted is written before the settings change.
        if (rotation.phase !== "settle") await keep(advanced(rotation, "settle", ""));
        const done = ended(rotation, new Date().toISOString());
        await store.settle(done, rotation.target);
        await context.share?.(signal);
        return { outcome: rotation.target === "next" ? "replaced" : "reverted", rotation: done };
      }
      case "done":
        return { outcome: rotation.target === "next" ? "replaced" : "reverted", rotation };
    }
  }
}

const BECAUSE: Readonly<Record<"introduce" | "retire", string>> = {
  introduce: "a slot may not sign with the key that stays: first that, then the whole wait",
  retire: "the tokens of the other key have expired",
};

/** A slot whose cutover completed after the rotation that started it was killed. */
function completedSlot(rotation: Rotation, { state, plan }: Machine): Slot | undefined {
  if (state.name !== "standby" || plan === undefined) return undefined;
  const { candidate } = plan;
  return plan.reason === reasonOf(rotation, candidate) && rotation.running[candidate] === undefined
    ? candidate
    : undefined;
}

/** Reason of a cutover, by which a rotation recognizes its own cutovers. */
function reasonOf(rotation: Rotation, slot: Slot): string {
  return `${prefixOf(rotation)} ${slot} accepts ${rotation.wanted[slot]}`;
}

function prefixOf(rotation: Rotation): string {
  return `secrets rotate jwt ${rotation.id}:`;
}

/** Refuses a rollout that is not the rotation's own. */
function refuseOthers({ plan, state, ...machine }: Machine, rotation: Rotation | undefined): void {
  if (plan === undefined || (rotation !== undefined && plan.reason.startsWith(prefixOf(rotation)))) return;
  const warm = state.name === "standby";
  // The cutovers of an earlier rotation deployed the image that both slots have.
  if (warm && plan.image === plan.stableImage) return;
  throw new UserError(
    "state-conflict",
    `rollout ${plan.id}`,
    warm
      ? `is complete, and ${plan.stable} is warm for a rollback; a rotation needs its slot`
      : `of ${plan.by} is in "${stateLabel({ ...machine, plan, state })}"`,
    warm
      ? fix`${command("rollout finish")}, which ends the option to roll back to ${plan.stableImage ?? plan.stable}; then ${ROTATE}`
      : fix`${command("rollout resume")}, or ${command("rollout abort")}; then ${ROTATE}`,
  );
}

/** The state of the rollout, and the image that serves users. */
export function readRollout(
  context: Pick<RotationContext, "rollout">,
): Operation<{ readonly machine: Machine; readonly image: string | undefined }> {
  return context.rollout(async function* (rollout) {
    const { machine } = (await rollout.journal.read()) ?? firstJournal(await rollout.traffic.inForce());
    return { machine, image: (await rollout.deployer.status(usersSlot(machine))).image };
  });
}

function waiting({ phase }: Rotation, until: string): StepEvent {
  const detail = `until ${until}, when the other key's tokens have expired`;
  return { type: "step", id: `rotation-${phase}`, title: `rotation: ${phase}`, status: "progress", detail };
}

function note(rotation: Rotation, message: string): NoteEvent {
  return { type: "note", level: "info", message: `${rotation.phase}: ${message}` };
}

/** A key in messages: the first characters of its identifier. */
export function keyName({ kids }: Rotation, key: "current" | "next"): string {
  const kid = kids[key];
  return kid === undefined ? `the ${key} key` : `key ${kid.slice(0, 8)}`;
}
