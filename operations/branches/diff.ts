import { compareFacts, type SchemaDifference } from "../schema-facts/compare.ts";
import { readFacts } from "../schema-facts/read.ts";
import { recordOf, stackOf, type Branches } from "./lifecycle.ts";

/** How the schema of a branch differs. */
export interface BranchDiff extends Pick<Branches, "stack"> {
  readonly name: string;
  /** What was changed in the branch since it was made. */
  readonly branch: readonly SchemaDifference[];
  /** What was changed in main since then. */
  readonly main: readonly SchemaDifference[];
  /** What a person who looks at main finds different in the branch. */
  readonly between: readonly SchemaDifference[];
}

/** Compares a branch with main, and both with the schema that the branch began with. */
export async function diffBranch(branches: Branches, name: string): Promise<BranchDiff> {
  const { store, host, main } = branches;
  await recordOf(branches, name);
  const url = await host.url(name);
  const [base, ours, theirs] = await Promise.all([store.base(name), readFacts(main), readFacts(url)]);
  return {
    name,
    ...stackOf(branches),
    branch: await compareFacts(base, theirs),
    main: await compareFacts(base, ours),
    between: await compareFacts(ours, theirs),
  };
}
