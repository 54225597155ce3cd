import { command } from "../../../contract/fix.ts";
import type { BranchMerge } from "../../../operations/branches/merge/merge.ts";
import type { MergeConflict } from "../../../operations/branches/merge/three-way.ts";
import { heading, lines, next, type Block } from "../block.ts";
import { count, span } from "../units.ts";

/** `branch merge`. */
export function formatBranchMerge(merge: BranchMerge): readonly Block[] {
  const { name, outcome, conflicts, steps, file, proof, seconds } = merge;
  const again = `branch merge ${name}`;
  switch (outcome) {
    case "merged":
      return [
        ...stepLines(merge),
        heading(`branch ${name} is merged (${span(seconds)}): ${file ?? ""}`, "good"),
        next({ shell: `git add ${file ?? ""}` }, command("migrate test")),
      ];
    case "planned":
      return [
        ...stepLines(merge),
        heading(`${count(steps.length, "step")} would merge branch ${name}; proved on a copy of main`),
        next(command(steps.some(({ destructive }) => destructive) ? `${again} --allow-destructive` : again)),
      ];
    case "nothing":
      return [heading(`branch ${name} has no change that main lacks`)];
    case "destructive":
      return [
        ...stepLines(merge),
        heading(`branch ${name} is not merged: steps marked with ! remove data`, "bad"),
        next(command(`${again} --allow-destructive`)),
      ];
    case "not-proved":
      return [
        ...stepLines(merge),
        heading(
          `branch ${name} is not merged: on a copy of main, ${proof?.order === "branch-first" ? "with the branch's changes first" : "with its data"}, ${proof?.problem ?? ""}`,
          "bad",
        ),
        next(command(`branch diff ${name}`)),
      ];
    case "conflicts":
      return [
        ...conflicts.flatMap(conflictLines),
        heading(`branch ${name} is not merged: ${count(conflicts.length, "conflict")}`, "bad"),
        next(
          ...(["branch", "main"] as const).map((side) => ({
            ...command(`${again} ${conflicts.map(({ object }) => `--take "${side}=${object}"`).join(" ")}`),
            comment: side === "main" ? "keep main's versions" : "take the branch's versions",
          })),
        ),
      ];
  }
}

function stepLines({ steps }: BranchMerge): readonly Block[] {
  return [lines(...steps.map(({ sql, destructive }) => `${destructive ? "!" : " "} ${sql};`))];
}

const REASONS: Readonly<Record<MergeConflict["reason"], string>> = {
  "both-changed": "both sides changed it",
  "removed-and-changed": "one side removed it, the other changed it",
  "removed-and-used": "one side removed it, the other needs it",
  "changed-and-used": "one side changed its type, the other needs the old one",
};

function conflictLines({ object, reason, main, branch, users }: MergeConflict): readonly Block[] {
  const needed = users.length === 0 ? [] : [`    needed by ${users.join(", ")}`];
  return [
    lines(
      `${object}: ${REASONS[reason]}`,
      `    main    ${main ?? "does not have it"}`,
      `    branch  ${branch ?? "does not have it"}`,
      ...needed,
    ),
  ];
}
