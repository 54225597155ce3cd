import { COLOURS } from "../../contract/colours.ts";
import { UserError } from "../../contract/errors.ts";
import { JWT_KEY_SETS } from "../../contract/jwt.ts";
import type { Rotation } from "./rotation.ts";

/** @throws UserError where the text is no record of a rotation that this version knows */
export function parseRotation(text: string, where: string): Rotation {
  const refused = (problem: string) =>
    new UserError(where, problem, "restore it from a backup: without it nobody knows which keys the slots have");
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw refused("is no JSON");
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
    COLOURS.every((colour) => JWT_KEY_SETS.some((set) => set === record.wanted?.[colour]));
  if (!whole) throw refused("is no complete record of a rotation");
  return record as Rotation;
}
