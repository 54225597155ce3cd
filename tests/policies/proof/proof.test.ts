import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { DeclaredAccess, Proof } from "../../../policies/database/facts.ts";
import { openPglite, type Postgres } from "../../../policies/database/postgres.ts";
import { readDeclarations, readSchema } from "../../../policies/database/schema.ts";
import { prove } from "../../../policies/proof/prove.ts";
import { fixOf } from "../../../policies/rules/database/proved-policies.ts";
import { SCHEMA, SOUND, tableWith, UNSOUND } from "./policies.ts";

describe("the proof of policies", () => {
  let postgres: Postgres;
  let proofs: readonly Proof[];
  let declarations: readonly DeclaredAccess[];
  beforeAll(async () => {
    postgres = await openPglite([]);
    await postgres.run(readFileSync(new URL("../../../supabase/prelude.sql", import.meta.url), "utf8"));
    const cases = [...Object.entries(SOUND), ...Object.entries(UNSOUND)];
    await postgres.run(SCHEMA + cases.map(([name, policies]) => tableWith(name, policies)).join("\n"));
    const schema = await readSchema(postgres, ["anon", "authenticated"], () => undefined);
    declarations = await readDeclarations(postgres, schema);
    proofs = prove(schema, declarations);
  });
  afterAll(() => postgres.close());

  const failures = (name: string) =>
    proofs
      .filter(({ table }) => table === `public.${name}`)
      .flatMap(({ failures: all }) => all.map(({ alternative, why }) => `${alternative}: ${why}`));

  it.each(Object.keys(SOUND))("proves %s", (name) => {
    expect(proofs.some(({ table }) => table === `public.${name}`)).toBe(true);
    expect(failures(name)).toEqual([]);
  });

  it.each(Object.keys(UNSOUND))("does not prove %s", (name) => {
    expect(failures(name)).not.toEqual([]);
  });

  it("reports the declarations", () => {
    expect(declarations.map(({ table, text, error }) => [table, text, error])).toContainEqual([
      "public.declared",
      "readable by anyone when status = 'published'",
      undefined,
    ]);
  });

  it("is satisfied by the fix of each finding", async () => {
    const failing = proofs.filter(({ failures: all }) => all.length > 0);
    for (const proof of failing)
      for (const failure of proof.failures) {
        // A policy that an earlier fix dropped is gone.
        const [row] = await postgres.run(
          `select count(*)::int as count from pg_policies where schemaname || '.' || tablename = '${proof.table}' and policyname = '${failure.policy}'`,
        );
        if (Number(row?.count) > 0) await postgres.run(fixOf(proof, failure));
      }
    const schema = await readSchema(postgres, ["anon", "authenticated"], () => undefined);
    const left = prove(schema, declarations).filter(({ failures: all }) => all.length > 0);
    expect(left.map(({ table, command, failures: all }) => [table, command, all])).toEqual([]);
  });
});
