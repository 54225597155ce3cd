import type { SchemaFacts } from "../../schema-facts/read.ts";
import { planOf, stepsOf, type SchemaStep } from "../../schema-facts/steps.ts";
import type { Parked } from "./parked.ts";
import { putBackBy } from "./put-back.ts";
import { parkStatements, takenBy } from "./taken.ts";
import { columnsIn, isGenerated, tablesIn, type Action } from "./table-facts.ts";

/** How one schema becomes another, with the values that are kept. */
export interface PlannedChange {
  /** A step is destructive only if what it removes is not parked. */
  readonly steps: readonly SchemaStep[];
  /** What the steps park. */
  readonly parked: readonly ParkedValues[];
  /** What is put back of values that were parked earlier. */
  readonly putBack: readonly ParkedValues[];
}

/** Values of one table. */
export interface ParkedValues {
  /** With its schema. */
  readonly table: string;
  readonly columns: readonly string[];
  /** Whether they are all rows of the table. */
  readonly rows: boolean;
  /** The table in the schema of parked values that has, or had, them. */
  readonly store: string;
}

/**
 * Plans the steps from one schema to another. What they take away is parked, and what was parked is put back where they make its table or
 * column again.
 *
 * @param parked what the database has parked, the newest first
 * @param version names what is parked now
 */
export async function planChange(
  from: SchemaFacts,
  to: SchemaFacts,
  parked: readonly Parked[],
  version: string,
): Promise<PlannedChange> {
  const plan = await planOf(from.all, to.all);
  const { actions } = plan;
  const planned = stepsOf(plan);
  const part = partsOf(planned);
  // A value that is written between two transactions would be lost.
  const taken = takenBy(actions, from.all, to.all, version).filter(({ first, last }) => part[first] === part[last]);
  const putBack = putBackBy(actions, from.all, to.all, [...taken.map((each) => each.parked), ...parked]);
  const isKept = ({ destroys }: Action) =>
    tablesIn(destroys).every(({ schema, name }) =>
      taken.some((each) => isOf(each.parked, schema, name) && each.parked.whole),
    ) &&
    columnsIn(destroys).every((id) => {
      const column = from.all.get(id);
      return (
        column === undefined ||
        isGenerated(column) ||
        taken.some(({ parked: each }) => isOf(each, id.schema, id.table) && id.name in each.columns)
      );
    });
  const steps = actions.flatMap((action, index): readonly SchemaStep[] => {
    const step = planned[index];
    if (step === undefined) return [];
    const before = taken.filter(({ first }) => first === index).flatMap((each) => parkStatements(each.parked));
    const after = putBack.filter((each) => each.after === index);
    const sql = after.find((each) => each.action !== undefined)?.action ?? step.sql;
    return [
      ...before.map(ownStep),
      { ...step, sql, destructive: step.destructive && !isKept(action) },
      ...after.flatMap(({ statements }) => statements.map(ownStep)),
    ];
  });
  const named = ({ schema, table, whole, store }: Parked, columns: readonly string[]): ParkedValues => ({
    ...{ table: `${schema}.${table}`, columns, rows: whole, store },
  });
  return {
    steps,
    parked: taken.map((each) => named(each.parked, Object.keys(each.parked.columns))),
    putBack: putBack.map((each) => named(each.parked, each.columns)),
  };
}

function isOf(parked: Parked, schema: string, table: string): boolean {
  return parked.schema === schema && parked.table === table;
}

function ownStep(sql: string): SchemaStep {
  return { sql, destructive: false, rewrites: false, transaction: "with-others" };
}

/** The steps of each transaction, in their order. */
export function transactionsOf(steps: readonly SchemaStep[]): readonly (readonly SchemaStep[])[] {
  const numbers = partsOf(steps);
  const found: SchemaStep[][] = [];
  for (const [index, step] of steps.entries()) (found[numbers[index] ?? 0] ??= []).push(step);
  return found;
}

/** Number of the transaction of each step. */
function partsOf(steps: readonly SchemaStep[]): readonly number[] {
  let [number, open] = [0, false];
  return steps.map(({ transaction }) => {
    if (transaction === "separate" && open) number += 1;
    const own = number;
    open = transaction === "with-others";
    if (!open) number += 1;
    return own;
  });
}
