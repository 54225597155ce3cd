import pg from "pg";
import { loadPgDelta, type FactBase, type Plan } from "./pg-delta.ts";
import type { SchemaFacts } from "./read.ts";

/** One statement that brings a schema closer to another. */
export interface SchemaStep {
  readonly sql: string;
  /** Whether it removes data: a table, a column, or values that the new type does not have. */
  readonly destructive: boolean;
  /** Whether PostgreSQL may rewrite the table. */
  readonly rewrites: boolean;
  /** `separate`: it cannot run in a transaction. `ends`: what it makes can be used only after its transaction. */
  readonly transaction: "with-others" | "separate" | "ends";
}

/** The statements that make one schema the other, in an order that PostgreSQL accepts, and the plan that they are taken from. */
export async function planSteps(
  from: Pick<SchemaFacts, "all">,
  to: Pick<SchemaFacts, "all">,
): Promise<readonly SchemaStep[]> {
  return stepsOf(await planOf(from.all, to.all));
}

/** The plan that makes one schema the other. */
export async function planOf(from: FactBase, to: FactBase): Promise<Plan> {
  const { plan, resolveProfile, supabasePolicy, supabaseProfile } = await loadPgDelta();
  // Only with the profile does the library know how jobs of pg_cron are made. Without a policy it asks no database.
  const { id, handlers } = supabaseProfile;
  const { planOptions } = await resolveProfile(new pg.Pool(), { id, handlers });
  return plan(from, to, { ...planOptions, policy: supabasePolicy });
}

/** The statements of a plan. */
export function stepsOf({ actions }: Plan): readonly SchemaStep[] {
  return actions.map(({ sql, dataLoss, rewriteRisk, transactionality }) => ({
    sql: sql.trim().replace(/;$/, ""),
    destructive: dataLoss === "destructive",
    rewrites: rewriteRisk,
    transaction:
      transactionality === "transactional"
        ? "with-others"
        : transactionality === "nonTransactional"
          ? "separate"
          : "ends",
  }));
}
