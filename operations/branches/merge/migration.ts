import { breaches } from "../../../contract/sql/migration.ts";
import type { SchemaStep } from "../../schema-facts/steps.ts";
import { transactionsOf } from "./planned.ts";

/** A migration that is made of steps. */
export interface MadeMigration {
  /** File name, with its version. */
  readonly file: string;
  readonly sql: string;
}

/**
 * The migrations of steps: one, or one for each transaction that PostgreSQL needs, such as for a value of an enum that is then used. A
 * name says `contract` if a running release may need what the migration removes, by the rules of migrations.
 *
 * @param title a line that says where the steps come from
 * @param version of the first, 14 digits
 */
export async function madeMigrations(
  name: string,
  title: string,
  steps: readonly SchemaStep[],
  version: string,
): Promise<readonly MadeMigration[]> {
  const parts = transactionsOf(steps);
  return Promise.all(
    parts.map(async (part, index) => {
      const sql = textOf(
        parts.length === 1 ? title : `${title}, ${String(index + 1)} of ${String(parts.length)}`,
        part,
      );
      const kind = (await breaches(sql)).length > 0 ? "contract_" : "";
      const number = parts.length === 1 ? "" : `_${String(index + 1)}`;
      const own = String(BigInt(version) + BigInt(index)).padStart(14, "0");
      return { file: `${own}_${kind}${name.replaceAll("-", "_")}${number}.sql`, sql };
    }),
  );
}

function textOf(title: string, steps: readonly SchemaStep[]): string {
  const statements = [
    "set lock_timeout = '5s'",
    // A function may come before what its body names.
    ...(steps.some(({ sql }) => /^create (or replace )?(function|procedure)/i.test(sql))
      ? ["set check_function_bodies = off"]
      : []),
    ...steps.map(({ sql }) => sql),
  ];
  // The Supabase CLI sends such a file statement by statement.
  const alone = steps.some(({ transaction }) => transaction === "separate") ? "-- pg-delta: transaction=false\n" : "";
  return `${alone}-- ${title}\n${statements.map((statement) => `${statement};\n`).join("\n")}`;
}
