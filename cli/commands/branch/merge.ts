import { InvalidArgumentError, type Command } from "commander";
import { EXIT, type ExitCode } from "../../../contract/errors.ts";
import type { ChangeOutcome, SchemaChange } from "../../../operations/branches/merge/change.ts";
import { mergeBranch } from "../../../operations/branches/merge/merge.ts";
import { readResolutions, writeResolutions } from "../../../operations/branches/merge/resolutions.ts";
import { revertBranch } from "../../../operations/branches/merge/revert.ts";
import type { Side } from "../../../operations/branches/merge/three-way.ts";
import { openStack } from "../../../platforms/stack.ts";
import { audited } from "../../audited.ts";
import { confirmByName } from "../../confirm.ts";
import { changeQuestion } from "../../format/branch/hosted.ts";
import { resultOf, type Verb } from "../../events.ts";
import { againWithYes, YES, type YesFlag } from "./confirm.ts";
import { onStack, withReason, type ReasonFlag, type Run, type SetFlags } from "../command.ts";

const CODES: Readonly<Record<ChangeOutcome, ExitCode>> = {
  ...{ applied: EXIT.ok, planned: EXIT.ok, nothing: EXIT.ok, conflicts: EXIT.violations },
  ...{ "not-proved": EXIT.violations, destructive: EXIT.refused },
};

interface ChangeFlags {
  readonly dryRun: boolean;
  readonly allowDestructive: boolean;
  readonly take?: readonly (readonly [string, Side])[];
  readonly resolutions?: string;
}

const EXIT_CODES =
  "Exit codes: 0 done, or nothing to do, 1 conflicts, or not proved, 2 failed, 3 steps would remove data, not confirmed, or refused.";

/** branch merge, branch revert: the schema of a branch goes into main, and comes out of it. */
export function addMergeVerbs(branch: Command, run: Run): void {
  register(branch, run, {
    verb: "branch merge",
    description: "merge the schema of a branch into main, as a migration",
    other: "branch",
    help: `
The rows of the branch are not merged. The migration is tried on a copy of main with its data, then applied, and kept in
supabase/migrations. Values that it takes away are parked in the schema exai_parked. For a hosted database Supabase makes
the copy. Without point-in-time recovery, this copy has no rows.`,
    // Not the function itself: help does not load it.
    operation: (...given) => mergeBranch(...given),
  });
  register(branch, run, {
    verb: "branch revert",
    description: "take the last merge of a branch out of main again, as a migration",
    other: "before",
    help: `
What main got since the merge stays. Values of columns and tables that go are parked in the schema exai_parked; when a merge
makes these again, they are put back.`,
    operation: (...given) => revertBranch(...given),
  });
}

interface ChangeVerb {
  readonly verb: "branch merge" | "branch revert";
  readonly description: string;
  /** What `--take` calls the side that is not main. */
  readonly other: "branch" | "before";
  readonly help: string;
  readonly operation: typeof mergeBranch;
}

function register(branch: Command, run: Run, { verb, description, other, help, operation }: ChangeVerb): void {
  const name = verb.split(" ")[1] ?? "";
  withReason(onStack(branch.command(name).description(description).argument("<name>", "branch")))
    .option("--dry-run", "show and prove it, and change nothing", false)
    .option("--allow-destructive", "also run steps that remove data which cannot be parked", false)
    .option(
      "--take <side=object>",
      `where both changed an object, take "main=..." or "${other}=..."; may be repeated`,
      collectSides(other),
    )
    .option("--resolutions <file>", "decide conflicts by a file; those that it lacks are written to it")
    .option(...YES)
    .addHelpText("after", `${help}\n\n${EXIT_CODES}`)
    .action(async (subject: string, stack: string, flags: SetFlags & ReasonFlag & ChangeFlags & YesFlag) => {
      const { dryRun, allowDestructive, take = [], resolutions: file } = flags;
      const decided = new Map([...(file === undefined ? [] : readResolutions(file, other)), ...take]);
      await run((signal) => {
        const opened = openStack(stack, flags.set);
        const work = async function* (): Verb {
          const branches = await opened.branches({ signal });
          const { guard, locks, exclusively } = await opened.database({ signal });
          const asks = branches.host.kind === "hosted" && !flags.yes;
          const confirm = asks
            ? (planned: SchemaChange) => confirmByName(opened.name, changeQuestion(planned), againWithYes())
            : undefined;
          const options = { dryRun, allowDestructive, confirm, signal, guard, locks, resolutions: decided };
          return yield* exclusively(verb, () =>
            resultOf(verb, operation(branches, subject, options), ({ outcome, conflicts }) => {
              if (file !== undefined && outcome === "conflicts") writeResolutions(file, other, decided, conflicts);
              return CODES[outcome];
            }),
          );
        };
        return audited(opened.audit, { verb, subject, reason: flags.reason }, work(), signal);
      });
    });
}

/** Reads a repeated `--take side=object`. */
function collectSides(other: ChangeVerb["other"]) {
  return (text: string, before: readonly (readonly [string, Side])[] = []): readonly (readonly [string, Side])[] => {
    const [, side, object = ""] = /^([a-z]+)=(.+)$/.exec(text) ?? [];
    if (side !== "main" && side !== other)
      throw new InvalidArgumentError(
        `Expected main=<object> or ${other}=<object>, for example "main=table public.files".`,
      );
    return [...before, [object, side === "main" ? "main" : "branch"]];
  };
}
