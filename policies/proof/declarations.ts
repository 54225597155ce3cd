import type { Command } from "../database/facts.ts";

/** What is meant to be open, as the comment of a table says it. */
export interface Declaration {
  readonly table: string;
  readonly commands: readonly Command[];
  /** API roles. */
  readonly roles: readonly string[];
  /** SQL condition; absent if all rows are open. */
  readonly when?: string;
  /** The line of the comment. */
  readonly text: string;
}

const VERBS: Readonly<Record<string, readonly Command[]>> = {
  readable: ["select"],
  insertable: ["insert"],
  updatable: ["update"],
  deletable: ["delete"],
  writable: ["insert", "update", "delete"],
};
const LINE =
  /^(?<verbs>[a-z]+able(?:(?:, | and |, and )[a-z]+able)*) by (?<who>anyone|[a-z_][a-z0-9_]*(?: and [a-z_][a-z0-9_]*)*)(?: when (?<when>.+?))?[.;]?$/i;

/**
 * The declarations in a comment, one per line: `readable by anyone when status = 'published'`. Who is `anyone` or roles of the
 * API. A line that starts with such a verb and has another form is returned as an error.
 */
export function declarationsIn(
  table: string,
  comment: string,
  apiRoles: readonly string[],
): { readonly declarations: readonly Declaration[]; readonly errors: readonly string[] } {
  const declarations: Declaration[] = [];
  const errors: string[] = [];
  for (const line of comment.split(/\r?\n/).map((each) => each.trim())) {
    if (!/^(readable|insertable|updatable|deletable|writable)\b.* by\b/i.test(line)) continue;
    const { verbs = "", who = "", when } = LINE.exec(line)?.groups ?? {};
    const commands = verbs.split(/, and |, | and /).map((verb) => VERBS[verb.toLowerCase()]);
    const roles = who.toLowerCase() === "anyone" ? apiRoles : who.split(" and ");
    if (verbs === "" || commands.includes(undefined) || roles.some((role) => !apiRoles.includes(role)))
      errors.push(line);
    else
      declarations.push({
        table,
        commands: [...new Set(commands.flatMap((each) => each ?? []))],
        roles,
        ...(when === undefined ? {} : { when }),
        text: line,
      });
  }
  return { declarations, errors };
}
