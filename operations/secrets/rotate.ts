import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { Slot } from "../../contract/slots.ts";
import { EXIT, UserError } from "../../contract/errors.ts";
import type { ExaiEvent, Verb } from "../../contract/events.ts";
import type { RolloutContext } from "../rollout/ports/context.ts";
import { cutover, type CutoverRequest } from "../rollout/commands/cutover.ts";
import { firstJournal } from "../rollout/model/journal.ts";
import { type LeaseStore } from "../rollout/ports/lease.ts";
import { atRest, type Machine, usersSlot } from "../rollout/model/machine.ts";
import { resume } from "../rollout/commands/resume.ts";
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
  type RotationStep,
} from "./rotation.ts";
import type { RotationStore } from "./store.ts";
import { currentUser } from "../rollout/host/process-identity.ts";
import { stateLabel } from "../rollout/model/labels.ts";

/** All that a rotation touches. */
export interface RotationContext {
  readonly store: RotationStore;
  /** Runs a verb on the stack's rollout, whose deployer gives a slot the keys that the record wants at that time. */
  readonly rollout: (verb: (context: RolloutContext) => Verb) => Verb;
  /** Keeps a second rotation out. */
  readonly leases: LeaseStore;
  /** Brings the keys to what serves both slots, such as an edge function. Absent: there is none. */
  readonly share?: (signal: AbortSignal) => Promise<void>;
  readonly signal: AbortSignal;
}

export interface RotateRequest {
  /** Longest life of a token, for a rotation that begins. */
  readonly lifetimeSeconds: number;
  /** Waits for the tokens of the old key to expire, instead of ending and saying when to go on. */
  readonly wait?: boolean;
  readonly reason?: string;
  /** For each of the cutovers. */
  readonly cutover?: Pick<CutoverRequest, "steps" | "holdSeconds" | "bakeSeconds" | "drainSeconds">;
}

/** The verb that holds the lease. */
const VERB = "secrets rotate";

/**
 * Replaces the key for tokens slot by slot, by cutovers to the same image, so that no token is refused that has not
 * expired. Begins a rotation, or goes on with the one that is under way; killed at any point, it is run again.
 *
 * @returns 0 when it is done or waits for tokens to expire, 1 when a cutover took itself back
 * @throws UserError with exit code 3 while another rollout is unfinished or warm
 */
export async function* rotateJwt(context: RotationContext, request: RotateRequest): Verb {
  return yield* held(context, async function* () {
    let rotation = await context.store.read();
    if (!unfinishedRotation(rotation)) {
      refuseOthers((yield* look(context)).machine, undefined);
      rotation = await begin(context.store, request);
      const message = `rotation ${rotation.id} begins: ${kid(rotation, "current")} is to be replaced by ${kid(rotation, "next")}`;
      yield { type: "note", level: "info", message };
    }
    return yield* drive(context, rotation, request);
  });
}

/**
 * Goes back to the key that the rotation came from. Where clients have tokens of the new one, this takes as long as the
 * rotation itself.
 *
 * @throws UserError with exit code 3 where there is no rotation, or no way back
 */
export async function* abortRotation(context: RotationContext, request: RotateRequest): Verb {
  return yield* held(context, async function* () {
    const rotation = await context.store.read();
    if (!unfinishedRotation(rotation))
      throw new UserError("state-conflict", "secrets", "no rotation is under way", "./exai secrets status");
    const aborted = abortedRotation(rotation);
    if (aborted === undefined)
      throw new UserError(
        "state-conflict",
        `rotation ${rotation.id}`,
        "both slots have the new key alone, so there is nothing to go back to",
        "./exai secrets rotate jwt ends it; a second one replaces the key again",
      );
    if (aborted !== rotation) await context.store.write(aborted);
    const message = aborted.nextSigned
      ? "clients may have tokens of the new key: it is rotated out like any other"
      : "the new key has signed nothing: the slots drop it";
    yield { type: "note", level: "info", message };
    return yield* drive(context, aborted, request);
  });
}

/** How far the rotation is. Changes nothing. */
export async function* rotationStatus(context: Pick<RotationContext, "store" | "rollout">, now = Date.now()): Verb {
  const rotation = await context.store.read();
  if (rotation === undefined) {
    const data = { rotation: null };
    yield { type: "result", title: "no key has been rotated", data, next: ["./exai secrets rotate jwt"] };
    return EXIT.ok;
  }
  if (!unfinishedRotation(rotation)) {
    const stays = rotation.target === "next" ? "replaced" : "kept (aborted)";
    const title = `no rotation is under way; ${rotation.id} of ${rotation.by} ended ${rotation.endedAt ?? ""}: key ${kid(rotation, "current")} was ${stays}`;
    yield { type: "result", title, data: { rotation } };
    return EXIT.ok;
  }
  const active = usersSlot((yield* look(context)).machine);
  yield {
    type: "table",
    columns: ["SLOT", "USERS", "KEYS (FIRST SIGNS)", "NEXT DEPLOYMENT"],
    rows: (["blue", "green"] as const).map((slot) => [
      slot,
      slot === active ? "yes" : "",
      rotation.running[slot] ?? "not known",
      rotation.wanted[slot],
    ]),
  };
  const step = nextStep(rotation, active, now);
  yield {
    type: "result",
    title: `rotation ${rotation.id} of ${rotation.by} is in "${rotation.phase}": sign with the ${rotation.signing} key (${kid(rotation, rotation.signing)}); next: ${stepLabel(step)}`,
    data: { rotation, step, active },
    next: ["./exai secrets rotate jwt", "./exai secrets rotate jwt --abort"],
  };
  return EXIT.ok;
}

async function* held(context: RotationContext, work: () => Verb): Verb {
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

async function* drive(context: RotationContext, from: Rotation, request: RotateRequest): Verb {
  const { store, signal } = context;
  let rotation = from;
  const keep = async (next: Rotation): Promise<void> => {
    await store.write(next);
    rotation = next;
  };
  for (;;) {
    signal.throwIfAborted();
    const { machine, image } = yield* look(context);
    refuseOthers(machine, rotation);
    if (!atRest(machine)) {
      yield* quiet(context.rollout((rollout) => resume(rollout)));
      continue;
    }
    const late = completed(rotation, machine);
    if (late !== undefined) await keep(deployed(rotation, late));
    const active = usersSlot(machine);
    const step = nextStep(rotation, active, Date.now());
    switch (step.type) {
      case "cutover": {
        if (image === undefined)
          throw new UserError("state-conflict", active, "has the users and says no image", "./exai status");
        await keep(deploying(rotation, step.slot, step.keys));
        yield note(rotation, stepLabel(step));
        const wish: CutoverRequest = {
          ...{ ...request.cutover, image, candidate: step.slot, reason: reasonOf(rotation, step.slot) },
          // Who comes with a stolen key, or a token without an end, must not be able to keep the key in force.
          ...(rotation.phase === "retire" ? { retiresKey: true } : {}),
        };
        const code = yield* quiet(context.rollout((rollout) => cutover(rollout, wish)));
        if (code !== EXIT.ok) {
          yield* stopped(rotation);
          return code;
        }
        await keep(deployed(rotation, step.slot));
        break;
      }
      case "wait": {
        if (request.wait === true) {
          const milliseconds = Math.max(0, Date.parse(step.until) - Date.now());
          yield { ...stepOf(rotation), status: "progress", detail: stepLabel(step) };
          await sleep(Math.min(milliseconds, 60_000), undefined, { signal });
          break;
        }
        yield {
          type: "result",
          title: `both slots accept both keys, and ${kid(rotation, rotation.signing)} signs: sign new tokens with the ${rotation.signing} key. Tokens of the other one live until ${step.until}`,
          data: { rotation, until: step.until },
          next: [`./exai secrets rotate jwt   # from ${step.until} on; or now with --wait`],
        };
        return EXIT.ok;
      }
      case "sign":
        await context.share?.(signal);
        await keep(advanced(rotation, "sign", new Date().toISOString()));
        yield note(rotation, `every slot accepts both keys; ${kid(rotation, rotation.signing)} signs from now on`);
        break;
      case "introduce":
      case "retire":
        await keep(advanced(rotation, step.type, new Date().toISOString()));
        yield note(rotation, step.type === "retire" ? "the other key's tokens have expired" : stepLabel(step));
        break;
      case "settle": {
        // First the word that there is no way back, then the settings.
        if (rotation.phase !== "settle") await keep(advanced(rotation, "settle", ""));
        const done = ended(rotation, new Date().toISOString());
        await store.settle(done, rotation.target);
        await context.share?.(signal);
        yield {
          type: "result",
          title:
            rotation.target === "next"
              ? `the key ${kid(rotation, "current")} is replaced: ${kid(rotation, "next")} is the only one that is accepted`
              : `taken back: ${kid(rotation, "current")} is the only key that is accepted`,
          data: { rotation: done },
          next: ["./exai secrets status", "./exai rollout history"],
        };
        return EXIT.ok;
      }
      case "done":
        return EXIT.ok;
    }
  }
}

/** A slot whose cutover ended well after the rotation that had begun it was killed. */
function completed(rotation: Rotation, { state, plan }: Machine): Slot | undefined {
  if (state.name !== "standby" || plan === undefined) return undefined;
  const { candidate } = plan;
  return plan.reason === reasonOf(rotation, candidate) && rotation.running[candidate] === undefined
    ? candidate
    : undefined;
}

/** Why a cutover is made; by this a rotation knows its own again. */
function reasonOf(rotation: Rotation, slot: Slot): string {
  return `${prefixOf(rotation)} ${slot} accepts ${rotation.wanted[slot]}`;
}

function prefixOf(rotation: Rotation): string {
  return `secrets rotate jwt ${rotation.id}:`;
}

/** A rollout of somebody else's is not ended for a key. */
function refuseOthers({ plan, state, ...machine }: Machine, rotation: Rotation | undefined): void {
  if (plan === undefined || (rotation !== undefined && plan.reason.startsWith(prefixOf(rotation)))) return;
  const warm = state.name === "standby";
  // The cutovers of an earlier rotation were to the image that both slots have.
  if (warm && plan.image === plan.stableImage) return;
  throw new UserError(
    "state-conflict",
    `rollout ${plan.id}`,
    warm
      ? `is complete, and ${plan.stable} is kept warm for a rollback; a rotation needs its slot`
      : `of ${plan.by} is in "${stateLabel({ ...machine, plan, state })}"`,
    warm
      ? `./exai rollout finish   # gives up the way back to ${plan.stableImage ?? plan.stable}; then ./exai secrets rotate jwt`
      : "./exai rollout resume, or ./exai rollout abort; then ./exai secrets rotate jwt",
  );
}

/** Where the rollout stands, and the image that the users have. */
async function* look(
  context: Pick<RotationContext, "rollout">,
): AsyncGenerator<ExaiEvent, { readonly machine: Machine; readonly image: string | undefined }, void> {
  let found: { readonly machine: Machine; readonly image: string | undefined } | undefined;
  yield* context.rollout(async function* (rollout) {
    const { machine } = (await rollout.journal.read()) ?? firstJournal(await rollout.traffic.inForce());
    found = { machine, image: (await rollout.deployer.status(usersSlot(machine))).image };
    return EXIT.ok;
  });
  if (found === undefined) throw new Error("the rollout ran no verb");
  return found;
}

/** The events of a verb inside this one: its result is a step here. */
async function* quiet(verb: Verb): Verb {
  for (;;) {
    const next = await verb.next();
    if (next.done === true) return next.value;
    if (next.value.type === "result") yield { type: "note", level: "info", message: next.value.title };
    else yield next.value;
  }
}

function* stopped(rotation: Rotation): Generator<ExaiEvent, void, void> {
  yield {
    type: "result",
    title: `rotation ${rotation.id} stands in "${rotation.phase}": a cutover did not end well, and no token is refused meanwhile`,
    data: { rotation },
    next: [
      "./exai rollout history",
      "./exai secrets rotate jwt   # goes on",
      "./exai secrets rotate jwt --abort   # goes back",
    ],
  };
}

function stepOf(rotation: Rotation): { readonly type: "step"; readonly id: string; readonly title: string } {
  return { type: "step", id: `rotation-${rotation.phase}`, title: `rotation: ${rotation.phase}` };
}

function note(rotation: Rotation, message: string): ExaiEvent {
  return { type: "note", level: "info", message: `${rotation.phase}: ${message}` };
}

function stepLabel(step: RotationStep): string {
  switch (step.type) {
    case "cutover":
      return `${step.slot} gets the keys ${step.keys}, and the users`;
    case "wait":
      return `wait until ${step.until}, when the other key's tokens have expired`;
    case "sign":
      return "sign with the key that stays";
    case "introduce":
      return "not every slot is known to sign with the key that stays: that first, then the whole wait";
    case "retire":
      return "drop the other key, slot by slot";
    case "settle":
      return "drop the other key from the settings";
    case "done":
      return "nothing";
  }
}

/** The first letters of a key's identifier. */
function kid(rotation: Rotation, key: "current" | "next"): string {
  const known = rotation.kids[key];
  return known === undefined ? `the ${key} key` : `key ${known.slice(0, 8)}`;
}
