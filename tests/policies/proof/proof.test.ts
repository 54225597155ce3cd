import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import type { DeclaredAccess, Proof } from "../../../policies/database/facts.ts";
import { openPglite } from "../../../policies/database/postgres.ts";
import { readDeclarations, readSchema } from "../../../policies/database/schema.ts";
import { prove } from "../../../policies/proof/prove.ts";
import { SCHEMA, SOUND, tableWith, UNSOUND } from "./policies.ts";

describe("the proof of policies", () => {
  let proofs: readonly Proof[];
  let declarations: readonly DeclaredAccess[];
  beforeAll(async () => {
    const postgres = await openPglite([]);
    await postgres.run(readFileSync(new URL("../../../supabase/prelude.sql", import.meta.url), "utf8"));
    const cases = [...Object.entries(SOUND), ...Object.entries(UNSOUND)];
    await postgres.run(SCHEMA + cases.map(([name, policies]) => tableWith(name, policies)).join("\n"));
    const schema = await readSchema(postgres, ["anon", "authenticated"], () => undefined);
    declarations = await readDeclarations(postgres, schema);
    proofs = prove(schema, declarations);
    await postgres.close();
  }, 120_000);

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
});
