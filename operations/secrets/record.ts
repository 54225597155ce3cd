import { SLOTS } from "../../contract/slots.ts";
import { UserError } from "../../contract/errors.ts";
import { JWT_KEY_SETS } from "../../contract/jwt.ts";
import type { Rotation } from "./rotation.ts";

/** A record as it is kept, by this version or an earlier one. */
type KeptRotation = Omit<Rotation, "schema"> & { readonly schema: 1 | 2 };

/**
 * A record of a rotation; one of schema 1 in the terms of today.
 *
 * @throws UserError where the text is no record of a rotation that this version knows
 */
export function parseRotation(text: string, where: string): Rotation {
  const refused = (problem: string) =>
    new UserError(
      "failed",
      where,
      problem,
      "restore it from a backup: without it nobody knows which keys the slots have",
    );
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw refused("is no JSON");
  }
  const record = value as Partial<KeptRotation> | null;
  const { schema } = record ?? {};
  if (schema !== 1 && schema !== 2)
    throw refused(`has schema ${String(schema)}, and this version knows schemas 1 and 2`);
  const whole =
    typeof record?.id === "string" &&
    ["introduce", "age", "retire", "settle", "done"].includes(record.phase ?? "") &&
    ["current", "next"].includes(record.target ?? "") &&
    ["current", "next"].includes(record.signing ?? "") &&
    typeof record.lifetimeSeconds === "number" &&
    record.running !== undefined &&
    SLOTS.every((slot) => JWT_KEY_SETS.some((set) => set === record.wanted?.[slot]));
  if (!whole) throw refused("is no complete record of a rotation");
  return modern(record as KeptRotation);
}

/**
 * A record in the terms of today. With schema 1 the wait began while the standby still signed with the other key, so that
 * nobody knows whether its tokens have expired. A rotation back before the new key had signed had no wait.
 */
function modern(record: KeptRotation): Rotation {
  const { schema, phase, nextSigned } = record;
  const doubtful = schema === 1 && nextSigned && (phase === "age" || phase === "retire");
  return { ...record, schema: 2, phase: doubtful ? "introduce" : phase };
}
