import { SLOTS } from "../../contract/slots.ts";
import { UserError } from "../../contract/errors.ts";
import { JWT_KEY_SETS } from "../../contract/jwt.ts";
import type { Rotation } from "./rotation.ts";

/**
 * Parses the record of a rotation.
 *
 * @throws UserError `invalid-file` if the text is not a record that this version knows
 */
export function parseRotation(text: string, where: string): Rotation {
  const refused = (problem: string) =>
    new UserError(
      "invalid-file",
      where,
      problem,
      "restore it from a backup: without it, it is unknown which keys the slots have",
    );
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw refused("is not JSON");
  }
  const record = value as Partial<Rotation> | null;
  if (record?.schema !== 1) throw refused(`has schema ${String(record?.schema)}, and this version knows schema 1`);
  const whole =
    typeof record.id === "string" &&
    ["introduce", "age", "retire", "settle", "done"].includes(record.phase ?? "") &&
    ["current", "next"].includes(record.target ?? "") &&
    ["current", "next"].includes(record.signing ?? "") &&
    typeof record.lifetimeSeconds === "number" &&
    record.running !== undefined &&
    SLOTS.every((slot) => JWT_KEY_SETS.some((set) => set === record.wanted?.[slot]));
  if (!whole) throw refused("is not a complete record of a rotation");
  return record as Rotation;
}
