import { command, onStack } from "../../../contract/fix.ts";
import type { SchemaChange } from "../../../operations/branches/merge/change.ts";
import type { ParkedValues } from "../../../operations/branches/merge/planned.ts";
import type { MergeConflict } from "../../../operations/branches/merge/three-way.ts";
import { heading, lines, next, type Block } from "../block.ts";
import { count, span } from "../units.ts";

/** How the two verbs say it. */
interface Words {
  readonly verb: "merge" | "revert";
  readonly subject: string;
  readonly done: string;
  /** What the other side is, in conflicts and for `--take`. */
  readonly side: "branch" | "before";
}

/** `branch merge`. */
export function formatBranchMerge(change: SchemaChange): readonly Block[] {
  return formatChange(change, { verb: "merge", subject: `branch ${change.name}`, done: "merged", side: "branch" });
}

/** `branch revert`. */
export function formatBranchRevert(change: SchemaChange): readonly Block[] {
  const subject = `the merge of branch ${change.name}`;
  return formatChange(change, { verb: "revert", subject, done: "reverted", side: "before" });
}

function formatChange(change: SchemaChange, words: Words): readonly Block[] {
  const { name, outcome, conflicts, steps, files, proof, seconds, stack } = change;
  const { verb, subject, done, side } = words;
  const again = onStack(`branch ${verb} ${name}`, stack);
  switch (outcome) {
    case "applied":
      return [
        ...stepLines(change),
        heading(`${subject} is ${done} (${span(seconds)}): ${files.join(", ")}`, "good"),
        next(
          { shell: `git add ${files.join(" ")}` },
          command(onStack(verb === "merge" ? "migrate test" : `branch merge ${name}`, stack)),
        ),
      ];
    case "planned":
      return [
        ...stepLines(change),
        heading(`${count(steps.length, "step")} would ${verb} ${subject}; proved on a copy of main`),
        next(command(steps.some(({ destructive }) => destructive) ? `${again} --allow-destructive` : again)),
      ];
    case "nothing":
      return [
        heading(verb === "merge" ? `branch ${name} has no change that main lacks` : `main has nothing of ${subject}`),
      ];
    case "destructive":
      return [
        ...stepLines(change),
        heading(`${subject} is not ${done}: steps marked with ! remove data that cannot be kept`, "bad"),
        next(command(`${again} --allow-destructive`)),
      ];
    case "not-proved":
      return [
        ...stepLines(change),
        heading(
          `${subject} is not ${done}: on a copy of main, ${proof?.order === "branch-first" ? "in the other order" : "with its data"}, ${proof?.problem ?? ""}`,
          "bad",
        ),
        next(command(onStack(`branch diff ${name}`, stack))),
      ];
    case "conflicts":
      return [
        ...conflicts.flatMap((conflict) => conflictLines(conflict, side)),
        heading(`${subject} is not ${done}: ${count(conflicts.length, "conflict")}`, "bad"),
        next(
          ...[side, "main"].map((each) => ({
            ...command(`${again} ${conflicts.map(({ object }) => `--take "${each}=${object}"`).join(" ")}`),
            comment:
              each === "main"
                ? "keep main's versions"
                : each === "branch"
                  ? "take the branch's versions"
                  : "take the versions before the merge",
          })),
          {
            ...command(`${again} --resolutions ${verb}-${name}.yaml`),
            comment: "write the conflicts to a file, to decide each",
          },
        ),
      ];
  }
}

function stepLines({ steps, parked, putBack }: SchemaChange): readonly Block[] {
  const values = (title: string, all: readonly ParkedValues[]) =>
    all.map(
      ({ table, columns, rows, store }) =>
        `${title} ${rows ? `the rows of ${table}` : `${columns.join(", ")} of ${table}`} (exai_parked.${store})`,
    );
  return [
    lines(...steps.map(({ sql, destructive }) => `${destructive ? "!" : " "} ${sql};`)),
    ...(parked.length + putBack.length === 0
      ? []
      : [lines(...values("parks", parked), ...values("puts back", putBack))]),
  ];
}

const REASONS: Readonly<Record<MergeConflict["reason"], string>> = {
  "both-changed": "both sides changed it",
  "removed-and-changed": "one side removed it, the other changed it",
  "removed-and-used": "one side removed it, the other needs it",
  "changed-and-used": "one side changed its type, the other needs the old one",
};

function conflictLines({ object, reason, main, branch, users }: MergeConflict, side: Words["side"]): readonly Block[] {
  const needed = users.length === 0 ? [] : [`    needed by ${users.join(", ")}`];
  return [
    lines(
      `${object}: ${REASONS[reason]}`,
      `    main    ${main ?? "does not have it"}`,
      `    ${side}  ${branch ?? "does not have it"}`,
      ...needed,
    ),
  ];
}
