import { breaches } from "../../../contract/sql/migration.ts";
import type { SchemaStep } from "../../schema-facts/steps.ts";

/** A migration that is made of steps. */
export interface MadeMigration {
  /** File name, with a version of the present. */
  readonly file: string;
  readonly sql: string;
}

/**
 * The migration of steps. Its name says `contract` if a running release may need what it removes, by the rules of migrations.
 *
 * @param title a line that says where the steps come from
 */
export async function madeMigration(
  name: string,
  title: string,
  steps: readonly SchemaStep[],
  now: Date,
): Promise<MadeMigration> {
  const settings = [
    "set lock_timeout = '5s'",
    // A function may come before what its body names.
    ...(steps.some(({ sql }) => /^create (or replace )?(function|procedure)/i.test(sql))
      ? ["set check_function_bodies = off"]
      : []),
  ];
  const sql = `-- ${title}\n${[...settings, ...steps.map((step) => step.sql)].map((statement) => `${statement};\n`).join("\n")}`;
  const version = now.toISOString().replaceAll(/\D/g, "").slice(0, 14);
  const kind = (await breaches(sql)).length > 0 ? "contract_" : "";
  return { file: `${version}_${kind}${name.replaceAll("-", "_")}.sql`, sql };
}
