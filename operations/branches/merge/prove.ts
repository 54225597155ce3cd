import { UserError } from "../../../contract/errors.ts";
import type { Operation } from "../../../contract/events.ts";
import { fix } from "../../../contract/fix.ts";
import { timed } from "../../../contract/timed.ts";
import { withClient } from "../../migrations/client.ts";
import { databaseUrl } from "../../migrations/url.ts";
import { compareFacts } from "../../schema-facts/compare.ts";
import { readFacts, type SchemaFacts } from "../../schema-facts/read.ts";
import type { Branches } from "../lifecycle.ts";
import { stackCommand } from "../model.ts";
import { readParked } from "./parked.ts";
import { planChange, transactionsOf } from "./planned.ts";

/** Why a merge was not proved. */
export interface FailedProof {
  /** `main-first`: the branch's changes after main's; `branch-first`: the other order. */
  readonly order: "main-first" | "branch-first";
  /** PostgreSQL's error, or the objects that differ from the merged schema. */
  readonly problem: string;
}

/** The schemas of a merge. */
interface Schemas {
  readonly main: SchemaFacts;
  readonly merged: SchemaFacts;
  /** The branch's. */
  readonly theirs: SchemaFacts;
}

/**
 * Tries migrations on a copy of main, with its data where the host can copy it, in both orders: the branch's changes after main's, and
 * main's after the branch's. Both must give the merged schema.
 *
 * @throws UserError `state-conflict` if the copy has another schema than main had when it was read
 */
export async function* proveMerge(
  branches: Pick<Branches, "host" | "stack">,
  migrations: readonly string[],
  schemas: Schemas,
): Operation<FailedProof | undefined> {
  const { host } = branches;
  const { name, options } = await host.proofCopy();
  try {
    const { failed } = yield* host.create(name, options);
    const url = await host.url(name);
    const other =
      failed ?? (await compareFacts(schemas.main, await readFacts(url))).map(({ object }) => object).join(", ");
    if (other !== "") throw otherThanMain(branches, other);
    return yield* timed(
      "proof",
      "try it on the copy, in both orders",
      () => inBothOrders(url, name, migrations, schemas),
      (failure) => (failure === undefined ? {} : { status: "failed" }),
    );
  } finally {
    await host.remove(name);
  }
}

function otherThanMain(branches: Pick<Branches, "host" | "stack">, other: string): UserError {
  if (branches.host.kind === "local") return changedMeanwhile(branches, other);
  return new UserError(
    "state-conflict",
    "main",
    `is not what its migrations make, so nothing can be proved on a copy: ${other}`,
    fix`${stackCommand(branches, "migrate verify")}; if main was only changed meanwhile, run the merge again`,
  );
}

/** Main is not what a merge was made for. */
export function changedMeanwhile(branches: Pick<Branches, "stack">, objects: string): UserError {
  return new UserError(
    "state-conflict",
    "main",
    `was changed while the branch was merged: ${objects}`,
    fix`${stackCommand(branches, "branch list")}, then run the merge again`,
  );
}

async function inBothOrders(
  url: string,
  copy: string,
  migrations: readonly string[],
  { merged, theirs }: Schemas,
): Promise<FailedProof | undefined> {
  const first = await reaches(url, migrations, merged);
  if (first !== undefined) return { order: "main-first", problem: first };
  // The copy becomes what the branch is; what only main has comes after it. Its rows keep their values meanwhile.
  const becomes = async (from: SchemaFacts, to: SchemaFacts) => {
    const { steps } = await planChange(from, to, await readParked(url), copy);
    const parts = transactionsOf(steps).map((part) => part.map(({ sql }) => sql).join(";\n"));
    return reaches(
      url,
      parts.map((sql) => `set check_function_bodies = off;\n${sql}`),
      to,
    );
  };
  const second = (await becomes(merged, theirs)) ?? (await becomes(theirs, merged));
  return second === undefined ? undefined : { order: "branch-first", problem: second };
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
