import { SLOTS, otherSlot, type Slot } from "../../contract/slots.ts";
import { keysOf, type JwtKeyName, type JwtKeySet } from "../../contract/jwt.ts";

/**
 * - `introduce`: one slot after the other gets both keys, until each of them signs with the new one.
 * - `age`: every slot accepts both and signs with the new key; tokens of the old one live on until they expire.
 * - `retire`: one slot after the other keeps the new key alone. - `settle`: the settings forget the old key.
 */
export type RotationPhase = "introduce" | "age" | "retire" | "settle" | "done";

/** The rotation of the key for tokens, as it is kept between two runs. Holds no key. */
export interface Rotation {
  readonly schema: 2;
  readonly id: string;
  /** ISO 8601. */
  readonly startedAt: string;
  /** user@host. */
  readonly by: string;
  readonly reason: string;
  /** The key that stays: `next`, or `current` after an abort. */
  readonly target: JwtKeyName;
  readonly phase: RotationPhase;
  /** The key that new tokens are to be signed with. Every slot accepts it. */
  readonly signing: JwtKeyName;
  /** Whether a token of the new key may be with clients: a slot has signed with it, or could have. */
  readonly nextSigned: boolean;
  /** Identifiers of the keys (`kid`), where they are known. */
  readonly kids: Readonly<Partial<Record<JwtKeyName, string>>>;
  /** Longest life of a token. */
  readonly lifetimeSeconds: number;
  /** What each slot gets with its next deployment. */
  readonly wanted: Readonly<Record<Slot, JwtKeySet>>;
  /** What each slot has; absent from the moment that it is to be deployed until its cutover has ended well. */
  readonly running: Readonly<Partial<Record<Slot, JwtKeySet>>>;
  /** Since when nothing signs with the other key, ISO 8601; of the last time that there was such an instant. */
  readonly signingSince?: string;
  readonly endedAt?: string;
}

/** What has to be done next. */
export type RotationStep =
  /** Deploy the idle slot with these keys and move the users to it. */
  | { readonly type: "cutover"; readonly slot: Slot; readonly keys: JwtKeySet }
  /** The target alone signs from now on. */
  | { readonly type: "sign" }
  /** A slot signs with the other key, with the users or for a rollback to find, or the begin of the wait is lost. */
  | { readonly type: "introduce" }
  | { readonly type: "wait"; readonly until: string }
  | { readonly type: "retire" }
  | { readonly type: "settle" }
  | { readonly type: "done" };

export type RotationStart = Pick<Rotation, "id" | "startedAt" | "by" | "reason" | "kids" | "lifetimeSeconds">;

/** A rotation that has changed nothing yet. */
export function startedRotation(start: RotationStart): Rotation {
  const before = { blue: "current", green: "current" } as const;
  return {
    schema: 2,
    ...start,
    target: "next",
    phase: "introduce",
    signing: "current",
    nextSigned: false,
    wanted: before,
    running: before,
  };
}

type UnfinishedRotation = Rotation & { readonly phase: Exclude<RotationPhase, "done"> };

/** Whether a rotation has work left. */
export function unfinishedRotation(rotation: Rotation | undefined): rotation is UnfinishedRotation {
  return rotation !== undefined && rotation.phase !== "done";
}

/** The key that new tokens are to be signed with; `current` where no rotation is under way. */
export function signingKey(rotation: Rotation | undefined): JwtKeyName {
  return unfinishedRotation(rotation) ? rotation.signing : "current";
}

/**
 * The next step, from the record, the slot that has the users and the time (milliseconds since 1970). Pure.
 *
 * A token is never refused for its key: no slot gets the target alone before the other key's tokens have expired, and no
 * key signs before every slot accepts it. The tokens' time runs only while no slot signs with the other key: a rollback
 * and one back again leave nothing in the record, so neither slot may be one that they must not reach.
 */
export function nextStep(rotation: Rotation, active: Slot, now: number): RotationStep {
  const { target, signing, running, lifetimeSeconds } = rotation;
  const all = (holds: (keys: JwtKeySet | undefined) => boolean) => SLOTS.every((slot) => holds(running[slot]));
  const idle = otherSlot(active);
  switch (rotation.phase) {
    case "introduce": {
      if (all((keys) => keys === both(target))) return { type: "sign" };
      // Only what the slot beside it accepts may sign in a slot.
      return { type: "cutover", slot: idle, keys: both(acceptsBoth(running[active]) ? target : signing) };
    }
    case "age": {
      if (!all((keys) => signer(keys) === target)) return { type: "introduce" };
      const until = Date.parse(rotation.signingSince ?? "") + lifetimeSeconds * 1000;
      // A record without a time is not believed: the wait begins anew.
      if (Number.isNaN(until)) return { type: "introduce" };
      return now < until ? { type: "wait", until: new Date(until).toISOString() } : { type: "retire" };
    }
    case "retire":
      if (all((keys) => keys === target)) return { type: "settle" };
      // A slot that is not known here was on its way to the target alone, or comes from a time when only the target signed.
      if (!all((keys) => keys === undefined || signer(keys) === target)) return { type: "introduce" };
      return { type: "cutover", slot: idle, keys: target };
    case "settle":
      return { type: "settle" };
    case "done":
      return { type: "done" };
  }
}

/** The record before a slot is deployed with other keys: written first, so that a crash leaves no slot that it does not know. */
export function deploying(rotation: Rotation, slot: Slot, keys: JwtKeySet): Rotation {
  const other = otherSlot(slot);
  const beside = rotation.running[other];
  const nextSigned = rotation.nextSigned || signer(keys) === "next";
  return {
    ...rotation,
    nextSigned,
    wanted: { ...rotation.wanted, [slot]: keys },
    running: beside === undefined ? {} : { [other]: beside },
  };
}

/** The record after the users have reached a slot that was deployed with the wanted keys. */
export function deployed(rotation: Rotation, slot: Slot): Rotation {
  return { ...rotation, running: { ...rotation.running, [slot]: rotation.wanted[slot] } };
}

/** The record after a step that deploys nothing; `at` is ISO 8601. */
export function advanced(rotation: Rotation, step: "sign" | "introduce" | "retire" | "settle", at: string): Rotation {
  switch (step) {
    case "sign":
      return {
        ...rotation,
        phase: "age",
        signing: rotation.target,
        nextSigned: rotation.nextSigned || rotation.target === "next",
        signingSince: at,
      };
    case "introduce":
      return { ...rotation, phase: "introduce" };
    case "retire":
      return { ...rotation, phase: "retire" };
    case "settle":
      return { ...rotation, phase: "settle" };
  }
}

/** The record when the settings know the target alone. */
export function ended(rotation: Rotation, at: string): Rotation {
  const after = { blue: "current", green: "current" } as const;
  return { ...rotation, phase: "done", wanted: after, running: after, endedAt: at };
}

/**
 * The record of a rotation that goes back to the key it came from. Where the new key has signed nothing, the slots drop
 * it; else it is rotated out like any other, for its tokens are with clients.
 *
 * @returns undefined where there is no way back: the other key is on its way out of the settings
 */
export function abortedRotation(rotation: Rotation): Rotation | undefined {
  if (rotation.target === "current") return rotation;
  if (rotation.phase === "settle" || rotation.phase === "done") return undefined;
  return { ...rotation, target: "current", phase: rotation.nextSigned ? "introduce" : "retire" };
}

/** Both keys, the given one signs. */
function both(signing: JwtKeyName): JwtKeySet {
  return signing === "next" ? "next+current" : "current+next";
}

/** The key that a slot signs with. */
function signer(keys: JwtKeySet | undefined): JwtKeyName | undefined {
  return keys === undefined ? undefined : keysOf(keys)[0];
}

function acceptsBoth(keys: JwtKeySet | undefined): boolean {
  return keys !== undefined && keysOf(keys).length === 2;
}
