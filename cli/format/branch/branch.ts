import { command } from "../../../contract/fix.ts";
import type { BranchDiff } from "../../../operations/branches/diff.ts";
import type { BranchCreated, BranchDeleted } from "../../../operations/branches/lifecycle.ts";
import type { BranchStatus } from "../../../operations/branches/model.ts";
import type { SchemaDifference } from "../../../operations/schema-facts/compare.ts";
import type { BranchListData, BranchStatusData } from "../../results.ts";
import { heading, lines, next, pairs, type Block } from "../block.ts";
import { count, size, span, utc } from "../units.ts";

/** `branch create` and `branch reset`. */
export function formatBranchCreate({ branch, seconds }: BranchCreated): readonly Block[] {
  const { name, state, reason } = branch;
  if (state === "MIGRATIONS_FAILED")
    return [
      lines(reason ?? ""),
      heading(`branch ${name} is made (${span(seconds)}), but a pending migration failed in it`, "bad"),
      next(command(`branch status ${name}`), command(`branch delete ${name}`)),
    ];
  return [
    heading(`branch ${name} is made (${span(seconds)})`),
    next(command(`branch status ${name}`), command(`branch diff ${name}`)),
  ];
}

/** `branch delete`. */
export function formatBranchDelete({ name, seconds }: BranchDeleted): readonly Block[] {
  return [heading(`branch ${name} is removed (${span(seconds)})`)];
}

/** `branch list`. */
export function formatBranchList({ branches }: BranchListData): readonly Block[] {
  const rows = branches.map(({ name, state, server, createdAt, by, lsn, sizeBytes }) => [
    ...[name, state, server, utc(new Date(createdAt)), by, lsn ?? ""],
    sizeBytes === undefined ? "" : size(sizeBytes),
  ]);
  return [
    {
      type: "table",
      columns: [
        ...[{ title: "NAME" }, { title: "STATE" }, { title: "SERVER" }, { title: "MADE (UTC)", priority: 1 }],
        ...[
          { title: "BY", priority: 3 },
          { title: "LSN", priority: 4 },
          { title: "SIZE", priority: 2, align: "right" } as const,
        ],
      ],
      rows,
    },
    heading(branches.length === 1 ? "1 branch" : `${String(branches.length)} branches`),
    ...(branches.length === 0 ? [next(command("branch create <name>"))] : []),
  ];
}

/** `branch status`. */
export function formatBranchStatus({ branch, url, passwords }: BranchStatusData): readonly Block[] {
  return [
    pairs({
      state: branch.state,
      server: branch.server,
      made: `${utc(new Date(branch.createdAt))} UTC by ${branch.by}`,
      shows: momentOf(branch),
      ...(branch.sizeBytes === undefined ? {} : { size: size(branch.sizeBytes) }),
      ...(branch.reason === undefined ? {} : { reason: branch.reason }),
      ...(url === undefined ? {} : { url }),
      ...(passwords === undefined ? {} : { password: `branch-${branch.name} in ${passwords}` }),
    }),
    heading(`branch ${branch.name}`),
    next(command(`branch diff ${branch.name}`)),
  ];
}

function momentOf({ target, lsn, asOf }: BranchStatus): string {
  const moment = target === undefined ? "main when it was made" : `main at ${target.value}`;
  return `${moment}${lsn === undefined ? "" : `, LSN ${lsn}`}${asOf === undefined ? "" : `, last transaction ${asOf}`}`;
}

/** `branch diff`. */
export function formatBranchDiff({ name, branch, main, between }: BranchDiff): readonly Block[] {
  return [
    ...differences(`changed in ${name} since it was made`, branch),
    ...differences("changed in main since then", main),
    heading(
      between.length === 0
        ? `${name} and main have the same schema`
        : `${count(between.length, "object")} of ${name} differ from main's`,
    ),
    ...(branch.length === 0 ? [] : [next(command(`branch merge ${name} --dry-run`))]),
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
