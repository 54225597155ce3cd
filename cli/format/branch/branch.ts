import { command, onStack } from "../../../contract/fix.ts";
import type { BranchDiff } from "../../../operations/branches/diff.ts";
import type { BranchCreated, BranchDeleted } from "../../../operations/branches/lifecycle.ts";
import type { BranchStatus } from "../../../operations/branches/model.ts";
import type { SchemaDifference } from "../../../operations/schema-facts/compare.ts";
import type { BranchListData, BranchStatusData } from "../../results.ts";
import { heading, lines, next, pairs, type Block } from "../block.ts";
import { count, size, span, utc } from "../units.ts";

/** `branch create` and `branch reset`. */
export function formatBranchCreate({ branch, seconds, stack }: BranchCreated): readonly Block[] {
  const { name, state, reason } = branch;
  if (state === "MIGRATIONS_FAILED")
    return [
      lines(reason ?? ""),
      heading(`branch ${name} is made (${span(seconds)}), but a migration failed in it`, "bad"),
      next(command(onStack(`branch status ${name}`, stack)), command(onStack(`branch delete ${name}`, stack))),
    ];
  return [
    heading(`branch ${name} is made (${span(seconds)})`),
    next(command(onStack(`branch status ${name}`, stack)), command(onStack(`branch diff ${name}`, stack))),
  ];
}

/** `branch delete`. */
export function formatBranchDelete({ name, seconds }: BranchDeleted): readonly Block[] {
  return [heading(`branch ${name} is removed (${span(seconds)})`)];
}

/** `branch list`. */
export function formatBranchList({ branches, stack }: BranchListData): readonly Block[] {
  const rows = branches.map(({ name, state, server, ageSeconds, createdAt, by, lsn, sizeBytes }) => [
    ...[name, state, server, span(ageSeconds), utc(new Date(createdAt)), by ?? "", lsn ?? ""],
    sizeBytes === undefined ? "" : size(sizeBytes),
  ]);
  return [
    {
      type: "table",
      columns: [
        ...[
          { title: "NAME" },
          { title: "STATE" },
          { title: "SERVER" },
          { title: "AGE" },
          { title: "MADE (UTC)", priority: 1 },
        ],
        ...[
          { title: "BY", priority: 3 },
          { title: "LSN", priority: 4 },
          { title: "SIZE", priority: 2, align: "right" } as const,
        ],
      ],
      rows,
    },
    heading(branches.length === 1 ? "1 branch" : `${String(branches.length)} branches`),
    ...(stack === undefined || branches.length === 0
      ? []
      : [{ type: "lines", lines: ["a hosted branch costs money until it is deleted"] } as const]),
    ...(branches.length === 0 ? [next(command(onStack("branch create <name>", stack)))] : []),
  ];
}

/** `branch status`. */
export function formatBranchStatus({ branch, url, passwords, stack }: BranchStatusData): readonly Block[] {
  return [
    pairs({
      state: branch.state,
      server: branch.server,
      made: `${utc(new Date(branch.createdAt))} UTC${branch.by === undefined ? "" : ` by ${branch.by}`}`,
      shows: momentOf(branch),
      ...(branch.project === undefined ? {} : { project: projectOf(branch) }),
      ...(branch.sizeBytes === undefined ? {} : { size: size(branch.sizeBytes) }),
      ...(branch.reason === undefined ? {} : { reason: branch.reason }),
      ...(url === undefined ? {} : { url }),
      ...(passwords === undefined ? {} : { password: `branch-${branch.name} in ${passwords}` }),
    }),
    heading(`branch ${branch.name}`),
    next(command(onStack(`branch diff ${branch.name}`, stack))),
  ];
}

function projectOf({ project = "", persistent = false }: BranchStatus): string {
  return `${project}${persistent ? ", persistent" : ""}`;
}

function momentOf({ target, lsn, asOf, withData }: BranchStatus): string {
  const moment =
    target === undefined
      ? `main when it was made${withData === false ? ", without its rows" : ""}`
      : `main at ${target.value}`;
  return `${moment}${lsn === undefined ? "" : `, LSN ${lsn}`}${asOf === undefined ? "" : `, last transaction ${asOf}`}`;
}

/** `branch diff`. */
export function formatBranchDiff({ name, branch, main, between, stack }: BranchDiff): readonly Block[] {
  return [
    ...differences(`changed in ${name} since it was made`, branch),
    ...differences("changed in main since then", main),
    heading(
      between.length === 0
        ? `${name} and main have the same schema`
        : `${count(between.length, "object")} of ${name} differ from main's`,
    ),
    ...(branch.length === 0 ? [] : [next(command(onStack(`branch merge ${name} --dry-run`, stack)))]),
  ];
}

/** A table of differences; parts of an object that was added or removed as a whole are not listed. */
export function differences(title: string, all: readonly SchemaDifference[]): readonly Block[] {
  const shown = all.filter(({ partOf }) => partOf === undefined);
  if (shown.length === 0) return [];
  return [
    {
      type: "table",
      title,
      columns: [{ title: "CHANGE" }, { title: "OBJECT" }, { title: "WHAT", priority: 1 }],
      rows: shown.map(({ change, object, attributes }) => [change, object, attributes.map(attributeText).join("; ")]),
    },
  ];
}

function attributeText({ name, from, to }: SchemaDifference["attributes"][number]): string {
  const short = (text = "none") => (text.length > 40 ? `${text.slice(0, 39)}…` : text).replaceAll(/\s+/g, " ");
  return `${name}: ${short(from)} -> ${short(to)}`;
}
