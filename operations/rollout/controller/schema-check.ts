import { otherSlot, type Slot } from "../../../contract/slots.ts";
import { UserError } from "../../../contract/errors.ts";
import { command, fix } from "../../../contract/fix.ts";
import type { ProgressEvent } from "../../../contract/events.ts";
import { within } from "../../within.ts";
import { checkExpands } from "../../schema/coupling.ts";
import { cutoverSchema, rollbackSchema, type CutoverSchema, type SchemaVerdict } from "../../schema/decide.ts";
import { schemaError, schemaNoteText } from "../../schema/refusal.ts";
import type { SchemaRange } from "../../schema/range.ts";
import type { RolloutContext } from "../ports/context.ts";
import { usersSlot, type Machine } from "../model/machine.ts";
import type { PlannedRanges, RolloutPlan } from "../model/plan.ts";

/** Deadline for the database before a rollback, in seconds: users wait for the rollback. */
export const ROLLBACK_SECONDS = 2;

/** What a cutover to the image would do to the schema; undefined if the stack has no database. Changes nothing. */
export async function plannedSchema(
  context: RolloutContext,
  machine: Machine,
  image: string,
): Promise<(CutoverSchema & { readonly range: SchemaRange | undefined }) | undefined> {
  const { schema, signal } = context;
  if (schema === undefined) return undefined;
  const slot = otherSlot(usersSlot(machine));
  const [state, range] = await Promise.all([schema.state(), schema.range(slot, image, signal)]);
  await checkExpands(state, schema.root);
  return { ...cutoverSchema(state, { slot, image, range }, schema.unlabelled), range };
}

/**
 * Checks before the first write whether the release works with the resulting schema.
 *
 * @returns the ranges for the plan
 * @throws UserError (exit code 3)
 */
export async function* admitCandidate(
  context: RolloutContext,
  machine: Machine,
  image: string,
): AsyncGenerator<ProgressEvent, PlannedRanges, void> {
  const planned = await plannedSchema(context, machine, image);
  if (planned === undefined) return {};
  yield* admit(planned.verdict);
  const stable = usersSlot(machine);
  const { image: running } = await context.deployer.status(stable);
  const before =
    running === undefined
      ? undefined
      : await context.schema?.range(stable, running, context.signal).catch(() => undefined);
  return {
    ...(planned.range === undefined ? {} : { [otherSlot(stable)]: planned.range }),
    ...(before === undefined ? {} : { [stable]: before }),
  };
}

/**
 * Checks before a rollback whether the old release still works with the schema. A database that does not answer does not
 * prevent the rollback.
 *
 * @throws UserError (exit code 3)
 */
export async function* admitRollback(
  { schema, prefetch }: RolloutContext,
  plan: RolloutPlan,
  accept: boolean,
): AsyncGenerator<ProgressEvent, void, void> {
  if (schema === undefined) return;
  let verdict: SchemaVerdict;
  try {
    const late = new UserError(
      "timeout",
      "database",
      `does not answer within ${String(ROLLBACK_SECONDS)} s`,
      fix`${command("migrate plan")}`,
    );
    // The time includes that for the connection string.
    const state = await within(ROLLBACK_SECONDS, prefetch?.schema?.answer() ?? schema.state(ROLLBACK_SECONDS), {
      late,
    });
    const release = (slot: Slot, image: string) => ({ slot, image, range: plan.schema?.[slot] });
    verdict = rollbackSchema(
      state,
      release(plan.stable, plan.stableImage ?? "the old release"),
      release(plan.candidate, plan.image),
      schema.unlabelled,
    );
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    const message = `cannot compare the schema with the old release: ${error.where} ${error.message}`;
    yield { type: "note", level: "warning", message };
    return;
  }
  if (!verdict.allowed && accept) {
    yield {
      type: "note",
      level: "warning",
      message: `${schemaError(verdict.refusal).message}; accepted (--accept-schema)`,
    };
    return;
  }
  yield* admit(verdict);
}

function* admit(verdict: SchemaVerdict): Generator<ProgressEvent, void, void> {
  if (!verdict.allowed) throw schemaError(verdict.refusal);
  for (const note of verdict.notes) yield { type: "note", level: "warning", message: schemaNoteText(note) };
}
