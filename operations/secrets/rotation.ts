import { SLOTS, otherSlot, type Slot } from "../../contract/slots.ts";
import { keysOf, type JwtKeyName, type JwtKeySet } from "../../contract/jwt.ts";

/**
 * - `introduce`: one slot after the other gets both keys, until each of them signs with the new one.
 * - `age`: every slot accepts both and signs with the new key; tokens of the old one are valid until they expire.
 * - `retire`: one slot after the other keeps only the new key. - `settle`: the settings drop the old key.
 */
export type RotationPhase = "introduce" | "age" | "retire" | "settle" | "done";

/** The record of a rotation of the key for tokens, between two runs. Contains no key. */
export interface Rotation {
  readonly schema: 1;
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
  /** Whether clients may have tokens of the new key: a slot has signed with it, or could have. */
  readonly nextSigned: boolean;
  /** Identifiers of the keys (`kid`), if they are known. */
  readonly kids: Readonly<Partial<Record<JwtKeyName, string>>>;
  /** Longest life of a token, seconds. */
  readonly lifetimeSeconds: number;
  /** What each slot gets with its next deployment. */
  readonly wanted: Readonly<Record<Slot, JwtKeySet>>;
  /** What each slot has; absent from the time before its deployment until its cutover has completed. */
  readonly running: Readonly<Partial<Record<Slot, JwtKeySet>>>;
  /** Since when no slot signs with the other key, ISO 8601; the last such instant. */
  readonly signingSince?: string;
  readonly endedAt?: string;
}

/** The next step. */
export type RotationStep =
  /** Deploy the idle slot with these keys and move the users to it. */
  | { readonly type: "cutover"; readonly slot: Slot; readonly keys: JwtKeySet }
  /** Only the target signs from now on. */
  | { readonly type: "sign" }
  /** A slot with users, or one that a rollback may return to, signs with the other key; or the start of the wait is unknown. */
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
    schema: 1,
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

/** The key that new tokens are to be signed with; `current` if no rotation is under way. */
export function signingKey(rotation: Rotation | undefined): JwtKeyName {
  return unfinishedRotation(rotation) ? rotation.signing : "current";
}

/**
 * The next step, from the record, the slot that has the users and the time (milliseconds since 1970). Pure.
 *
 * A token is never rejected for its key: no slot gets only the target before the other key's tokens have expired, and no key
 * signs before every slot accepts it. The wait counts only while no slot signs with the other key: the record does not
 * contain rollbacks, so users may be on either slot at any time.
 */
export function nextStep(rotation: Rotation, active: Slot, now: number): RotationStep {
  const { target, signing, running, lifetimeSeconds } = rotation;
  const all = (holds: (keys: JwtKeySet | undefined) => boolean) => SLOTS.every((slot) => holds(running[slot]));
  const idle = otherSlot(active);
  switch (rotation.phase) {
    case "introduce": {
      if (all((keys) => keys === both(target))) return { type: "sign" };
      // A slot may only sign with a key that the other slot accepts.
      return { type: "cutover", slot: idle, keys: both(acceptsBoth(running[active]) ? target : signing) };
    }
    case "age": {
      if (!all((keys) => signer(keys) === target)) return { type: "introduce" };
      const until = Date.parse(rotation.signingSince ?? "") + lifetimeSeconds * 1000;
      // Without a time in the record the wait starts again.
      if (Number.isNaN(until)) return { type: "introduce" };
      return now < until ? { type: "wait", until: new Date(until).toISOString() } : { type: "retire" };
    }
    case "retire":
      if (all((keys) => keys === target)) return { type: "settle" };
      // A slot that is unknown here was to get only the target, or is from a time when only the target signed.
      if (!all((keys) => keys === undefined || signer(keys) === target)) return { type: "introduce" };
      return { type: "cutover", slot: idle, keys: target };
    case "settle":
      return { type: "settle" };
    case "done":
      return { type: "done" };
  }
}

/** The record before a slot is deployed with other keys. It is written first, so that it covers every slot after a crash. */
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

/** The record when the settings contain only the target. */
export function ended(rotation: Rotation, at: string): Rotation {
  const after = { blue: "current", green: "current" } as const;
  return { ...rotation, phase: "done", wanted: after, running: after, endedAt: at };
}

/**
 * The record of a rotation that returns to the key it started from. If the new key has signed nothing, the slots drop it;
 * otherwise it is replaced like any other key, because clients have its tokens.
 *
 * @returns undefined if it can no longer be aborted: the settings are about to drop the other key
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
