import type { Finding } from "./evaluate.ts";
import { Kinds, readKinds } from "./kinds.ts";
import { readWaivers, Waivers } from "./waivers.ts";

/** Why a finding is accepted. */
export interface Exception {
  readonly reason: string;
  /** Absent for a declared kind. */
  readonly owner?: string;
  /** Last day, `yyyy-mm-dd`. Absent for a declared kind, which does not expire. */
  readonly expires?: string;
}

/** Declared exceptions from the rules: one matcher in all lanes. */
export interface Exceptions {
  /** What excepts a finding of a stack. */
  match(finding: Finding, stack: string): Exception | undefined;
  /** Findings about exceptions that have expired or that no finding needed; call it after all findings were matched. */
  findings(stack: string): readonly Finding[];
}

/** The waivers and the declared kinds of a project. @throws UserErrors if one of the files is malformed */
export function readExceptions(root: string, policies: readonly string[], now: Date): Exceptions {
  const lists: readonly Exceptions[] = [new Waivers(readWaivers(root, policies, now), now), new Kinds(readKinds(root))];
  return {
    match: (finding, stack) => {
      for (const list of lists) {
        const found = list.match(finding, stack);
        if (found !== undefined) return found;
      }
      return undefined;
    },
    findings: (stack) => lists.flatMap((list) => list.findings(stack)),
  };
}
