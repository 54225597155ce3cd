import type { Exception } from "../model/exceptions.ts";
import type { ProjectComparison } from "../../contract/supabase/project.ts";
import { KINDS_FILE } from "../model/kinds.ts";
import type { DeclarationEntry, Entry, StackReport } from "./model.ts";

/** The decision and the counts of a stack in one line, e.g. `prod: clean, 2 advisory findings`. */
export function headline({ stack, decision, counts }: StackReport): string {
  const parts = [
    ...(counts.mandatory > 0 ? [plural(counts.mandatory, "violation")] : []),
    ...(counts.inconclusive > 0 ? [plural(counts.inconclusive, "inconclusive rule")] : []),
    ...(counts.advisory > 0 ? [plural(counts.advisory, "advisory finding")] : []),
    ...(counts.waived > 0 ? [`${counts.waived} waived`] : []),
    ...(counts.deferred > 0 ? [`${counts.deferred} deferred`] : []),
  ];
  // The number of violations says that there are some.
  return `${stack}: ${[...(decision === "violations" ? [] : [decision]), ...parts].join(", ")}`;
}

/** What the rules checked: rules and resources, then the database. */
export function coverage({ counts, resources, database }: StackReport): readonly [rules: string, database: string] {
  return [
    `${plural(counts.rules, "rule")} (${counts.notApplicable} not applicable), ${plural(counts.evaluated, "place")} in ${plural(resources, "resource")}`,
    database === undefined
      ? "the database was not read"
      : `${plural(database.migrations, "migration")}, ${plural(database.tables, "table")}, ${plural(database.policies, "policy", "policies")} on ${database.server}${database.cached ? ", cached" : ""}`,
  ];
}

/** `src/file.ts:12`, or the name of the resource if the source is unknown. */
export function whereOf({ source, subject }: Entry): string {
  return source === undefined ? subject : `${source.file}:${source.line}`;
}

/** The resource, and the path inside it. */
export function placeOf({ subject, path }: Entry): string {
  return path === "" ? subject : `${subject} ${path}`;
}

/** `1 rule`, `2 rules`. */
export function plural(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}

/** Why a finding is accepted, and until when. */
export function exceptionText({ reason, owner, expires }: Exception): string {
  return owner === undefined || expires === undefined
    ? `declared in ${KINDS_FILE}: ${reason}`
    : `waived until ${expires} by ${owner}: ${reason}`;
}

/** Something open that is declared as meant: what it is, then the access or the reason, and where it is declared. */
export function declarationText({ subject, text, source }: DeclarationEntry): string {
  return `${subject}: ${text}${source === undefined ? "" : ` (${source.file}:${source.line})`}`;
}

/** How the settings of the Supabase project compare, in one line. */
export function projectLine(project: ProjectComparison): string {
  if (project.outcome === "absent") return "Supabase project: does not exist yet; `up` makes it with these settings";
  if (project.outcome === "not-read")
    return `Supabase project: not compared, since ${
      project.reason === "no-token"
        ? "SUPABASE_ACCESS_TOKEN is not set"
        : "exai:supabaseEndpoint is not the API of SUPABASE_API_ENDPOINT"
    }`;
  const { ref, settings, failures } = project;
  const [same, differ, hidden] = (["same", "differs", "hidden"] as const).map(
    (state) => settings.filter((each) => each.state === state).length,
  );
  const parts = [
    ...(settings.length > 0 ? [`${plural(same ?? 0, "setting")} as declared`, `${String(differ)} otherwise`] : []),
    ...(hidden === 0 ? [] : [`${String(hidden)} not comparable`]),
    ...(failures.length === 0 ? [] : [`${plural(failures.length, "call")} failed`]),
  ];
  return `Supabase project${ref === undefined ? "" : ` ${ref}`}: ${parts.join(", ")}`;
}

/** The settings of the project that are not as declared: setting, wanted, actual, and what sets it. */
export function projectRows(project: ProjectComparison): readonly (readonly string[])[] {
  if (project.outcome !== "compared") return [];
  return project.settings
    .filter(({ state }) => state !== "same")
    .map(({ section, key, wanted, actual, state, setBy }) => {
      const values = state === "hidden" ? ["(hidden)", "(hidden)"] : [wanted, actual];
      return [
        key === "" ? section : `${section}.${key}`,
        ...values.map((value) => (value === "" ? "(none)" : value)),
        setBy === "up" ? "up" : "dashboard",
      ];
    });
}
