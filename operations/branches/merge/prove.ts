import { UserError } from "../../../contract/errors.ts";
import { command, fix } from "../../../contract/fix.ts";
import { withClient } from "../../migrations/client.ts";
import { databaseUrl } from "../../migrations/url.ts";
import { compareFacts } from "../../schema-facts/compare.ts";
import { readFacts, type SchemaFacts } from "../../schema-facts/read.ts";
import type { BranchHost } from "../host.ts";
import { readParked } from "./parked.ts";
import { planChange, transactionsOf } from "./planned.ts";

/** Name of the copy that a merge is tried on. No branch can have it. */
const COPY = "_proof";

/** Why a merge was not proved. */
export interface FailedProof {
  /** `main-first`: the branch's changes after main's; `branch-first`: the other order. */
  readonly order: "main-first" | "branch-first";
  /** PostgreSQL's error, or the objects that differ from the merged schema. */
  readonly problem: string;
}

/**
 * Tries migrations on a copy of main with its data, in both orders: the branch's changes after main's, and main's after the
 * branch's. Both must give the merged schema.
 *
 * @param theirs the branch's schema
 * @throws UserError `state-conflict` if main's schema has changed since it was read
 */
export async function proveMerge(
  host: BranchHost,
  migrations: readonly string[],
  { main, merged, theirs }: { readonly main: SchemaFacts; readonly merged: SchemaFacts; readonly theirs: SchemaFacts },
): Promise<FailedProof | undefined> {
  await host.remove(COPY);
  try {
    await host.create(COPY);
    const url = await host.url(COPY);
    if ((await compareFacts(main, await readFacts(url))).length > 0)
      throw new UserError(
        "state-conflict",
        "main",
        "was changed while the branch was merged",
        fix`${command("branch list")}, then run the merge again`,
      );
    const first = await reaches(url, migrations, merged);
    if (first !== undefined) return { order: "main-first", problem: first };
    // The copy becomes what the branch is; what only main has comes after it. Its rows keep their values meanwhile.
    const becomes = async (from: SchemaFacts, to: SchemaFacts) => {
      const { steps } = await planChange(from, to, await readParked(url), COPY);
      const parts = transactionsOf(steps).map((part) => part.map(({ sql }) => sql).join(";\n"));
      return reaches(
        url,
        parts.map((sql) => `set check_function_bodies = off;\n${sql}`),
        to,
      );
    };
    const second = (await becomes(merged, theirs)) ?? (await becomes(theirs, merged));
    return second === undefined ? undefined : { order: "branch-first", problem: second };
  } finally {
    await host.remove(COPY);
    await host.prepareSpare();
  }
}

/** Runs each text in a transaction; returns why the schema is not the wanted one after them. */
async function reaches(url: string, texts: readonly string[], wanted: SchemaFacts): Promise<string | undefined> {
  try {
    await withClient(databaseUrl(url), async (client) => {
      for (const text of texts) await client.query(text);
    });
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  const left = await compareFacts(await readFacts(url), wanted);
  if (left.length === 0) return undefined;
  return `differs from the merged schema: ${left.map(({ object }) => object).join(", ")}`;
}
