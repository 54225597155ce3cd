import fc from "fast-check";
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { text } from "../../../policies/database/catalog.ts";
import { literal, openPglite, sqlState, type Postgres } from "../../../policies/database/postgres.ts";
import { readSchema } from "../../../policies/database/schema.ts";
import { prove } from "../../../policies/proof/prove.ts";
import type { Clause, Schema } from "../../../policies/proof/schema.ts";
import { allowedTo, condition, restriction, TOKENS, WORLD } from "./random.ts";

const RUNS = 500;

describe("the proof of random policies", () => {
  let postgres: Postgres;
  let schema: Schema;
  /** Items that each token may reach. */
  const allowed: ReadonlySet<string>[] = [];

  beforeAll(async () => {
    postgres = await openPglite([]);
    await postgres.run(readFileSync(new URL("../../../supabase/prelude.sql", import.meta.url), "utf8"));
    await postgres.run(WORLD);
    schema = await readSchema(postgres, ["authenticated"], () => undefined);
    for (const token of TOKENS) {
      const rows = await postgres.run(`select id::text from public.items where ${allowedTo(token)}`);
      allowed.push(new Set(rows.map((row) => text(row, "id"))));
    }
  });
  afterAll(() => postgres.close());

  /** The policies as PostgreSQL prints them, and whether a token reaches an item that it may not. */
  async function judge(
    permissive: string,
    restrictive: string | undefined,
  ): Promise<{ clauses: Clause[]; leaks: boolean }> {
    await postgres.run("begin");
    try {
      await postgres.run(
        `create policy one on public.items for select to authenticated using (${permissive});
         ${restrictive === undefined ? "" : `create policy two on public.items as restrictive for select to authenticated using (${restrictive});`}`,
      );
      const printed = await postgres.run(
        `set local search_path = ''; select polname as policy, polpermissive as permissive, pg_get_expr(polqual, polrelid) as using from pg_policy where polrelid = 'public.items'::regclass`,
      );
      const clauses = printed.map((row): Clause => ({
        policy: text(row, "policy"),
        table: "public.items",
        commands: ["select"],
        permissive: row.permissive === true,
        roles: ["authenticated"],
        using: text(row, "using"),
        check: null,
      }));
      const tokens = TOKENS.map((token) => literal(JSON.stringify(token))).join(", ");
      const reached = await postgres.run(
        `set local role authenticated; select caller, item::text from public.reached(array[${tokens}])`,
      );
      return {
        clauses,
        leaks: reached.some((row) => allowed[Number(text(row, "caller")) - 1]?.has(text(row, "item")) === false),
      };
    } catch (error) {
      // PostgreSQL cannot plan some conditions, e.g. "cannot cope with variable-free clause".
      fc.pre(sqlState(error) !== "XX000");
      throw error;
    } finally {
      await postgres.run("rollback");
    }
  }

  it("proves none that leaks", async () => {
    const counts = { proved: 0, sound: 0, leaking: 0 };
    const unproved: string[] = [];
    await fc.assert(
      fc.asyncProperty(condition, restriction, async (permissive, restrictive) => {
        const { clauses, leaks } = await judge(permissive, restrictive);
        const proofs = prove({ ...schema, clauses: [...schema.clauses, ...clauses] }, []);
        const failures = proofs.filter(({ table }) => table === "public.items").flatMap((proof) => proof.failures);
        if (leaks) counts.leaking += 1;
        else counts.sound += 1;
        if (failures.length === 0) counts.proved += 1;
        else if (!leaks)
          unproved.push(
            `${permissive}${restrictive === undefined ? "" : `  AND  ${restrictive}`}  BECAUSE  ${failures[0]?.alternative ?? ""}`,
          );
        expect(leaks && failures.length === 0).toBe(false);
      }),
      { numRuns: RUNS },
    );
    // The shapes that are right and not proved, which a wider proof would cover: the shortest first.
    console.log(
      `${RUNS} policies: ${counts.leaking} leak, ${counts.sound} do not, ${counts.proved} of these are proved\n${unproved
        .sort((a, b) => a.length - b.length)
        .slice(0, 12)
        .join("\n")}`,
    );
    expect(counts.leaking).toBeGreaterThan(100);
    expect(counts.proved).toBeGreaterThan(100);
  });
});
