import { UserError } from "../../contract/errors.ts";
import type { ResourceGraph } from "../../contract/graph.ts";
import type {
  ComparedSetting,
  FailedCall,
  ProjectComparison,
  SettingSection,
} from "../../contract/supabase/project.ts";
import { PUBLIC_ENDPOINT, readApi, type ManagementAccess } from "./api.ts";
import { wantedProject, type ProjectPlace, type WantedProject, type WantedSetting } from "./wanted.ts";

type Answer = Readonly<Record<string, unknown>>;

/** Environment variables that the provider and the Supabase CLI read too. */
export interface SupabaseEnvironment {
  readonly SUPABASE_ACCESS_TOKEN?: string | undefined;
  readonly SUPABASE_API_ENDPOINT?: string | undefined;
}

/**
 * Compares the settings that a stack declares for its Supabase project with those that the project has. Nothing is changed.
 *
 * @returns undefined for a stack without such a project
 */
export async function compareProject(
  graph: ResourceGraph,
  environment: SupabaseEnvironment,
): Promise<ProjectComparison | undefined> {
  const wanted = wantedProject(graph);
  if (wanted === undefined) return undefined;
  const access = accessTo(wanted, environment);
  if (typeof access === "string") return { outcome: "not-read", reason: access };
  let ref: string | undefined;
  let branch: Answer = {};
  try {
    [ref, branch] = await locate(wanted.place, access);
  } catch (error) {
    return { outcome: "compared", settings: [], failures: [failureOf(error)] };
  }
  if (ref === undefined) return { outcome: "absent" };
  return { outcome: "compared", ref, ...(await compareSettings(ref, branch, wanted.settings, access)) };
}

/** The API that a stack declares, with the user's credentials; why it is not asked without them. */
export function accessTo(
  wanted: Pick<WantedProject, "endpoint">,
  environment: SupabaseEnvironment,
): ManagementAccess | "no-token" | "other-endpoint" {
  const token = environment.SUPABASE_ACCESS_TOKEN ?? "";
  if (token === "") return "no-token";
  const given = environment.SUPABASE_API_ENDPOINT ?? "";
  const endpoint = (given === "" ? PUBLIC_ENDPOINT : given).replace(/\/+$/, "");
  // Otherwise a change of a stack file would send the token anywhere.
  if (wanted.endpoint !== undefined && wanted.endpoint.replace(/\/+$/, "") !== endpoint) return "other-endpoint";
  return { endpoint, token };
}

/** The project's reference and, for a branch, what the API says of it. */
export async function locate(
  place: ProjectPlace | undefined,
  access: ManagementAccess,
): Promise<readonly [ref: string | undefined, branch: Answer]> {
  switch (place?.kind) {
    case undefined:
      return [undefined, {}];
    case "ref":
      return [place.ref, {}];
    case "new": {
      const all = listOf(await readApi("/projects", access));
      const own = all.filter(
        ({ name, organization_id: id, organization_slug: slug }) =>
          name === place.name && [id, slug].includes(place.organization),
      );
      if (own.length <= 1) return [own[0] === undefined ? undefined : textOf(own[0].ref ?? own[0].id), {}];
      throw new UserError(
        "unavailable",
        "GET /v1/projects",
        `found ${String(own.length)} projects with the name ${place.name}`,
        "set exai:supabaseProjectRef to the one that is meant",
      );
    }
    case "branch": {
      let all: readonly Answer[];
      try {
        all = listOf(await readApi(`/projects/${place.parent}/branches`, access));
      } catch (error) {
        // Branching is off until the first branch is made.
        if (error instanceof UserError && error.message.includes("not enabled")) return [undefined, {}];
        throw error;
      }
      const own = all.find(({ git_branch: name }) => name === place.gitBranch);
      return [own === undefined ? undefined : textOf(own.project_ref), own ?? {}];
    }
  }
}

/** Where the API has each section. */
const PATHS: Readonly<Record<Exclude<SettingSection, "branch">, string>> = {
  api: "/postgrest",
  auth: "/config/auth",
  database: "/config/database/postgres",
  network: "/network-restrictions",
  storage: "/config/storage",
  pooler: "/config/database/pooler",
  backups: "/database/backups",
};

async function compareSettings(
  ref: string,
  branch: Answer,
  wanted: readonly WantedSetting[],
  access: ManagementAccess,
): Promise<{ readonly settings: readonly ComparedSetting[]; readonly failures: readonly FailedCall[] }> {
  const settings: ComparedSetting[] = [];
  const failures: FailedCall[] = [];
  const sections = Map.groupBy(wanted, ({ section }) => section);
  await Promise.all(
    Array.from(sections, async ([section, own]) => {
      try {
        const actual =
          section === "branch" ? branch : answerOf(section, await readApi(`/projects/${ref}${PATHS[section]}`, access));
        settings.push(...own.map((each) => compared(each, actual)));
      } catch (error) {
        failures.push(failureOf(error));
      }
    }),
  );
  const order = [...sections.keys()];
  return {
    settings: settings.sort((a, b) => order.indexOf(a.section) - order.indexOf(b.section)),
    failures: failures.sort((a, b) => (a.call < b.call ? -1 : 1)),
  };
}

/** What the API says about a section, by the names of the declaration. */
function answerOf(section: SettingSection, body: unknown): Answer {
  switch (section) {
    case "network": {
      const { config = {}, status } = body as { config?: Readonly<Record<string, string[]>>; status?: unknown };
      // A change that is stored and not applied yet does not protect.
      const suffix = status === "applied" ? [] : [`(${textOf(status)})`];
      return { restrictions: [...(config.dbAllowedCidrs ?? []), ...(config.dbAllowedCidrsV6 ?? []), ...suffix] };
    }
    case "pooler":
      return listOf(body).find(({ database_type: type }) => type === "PRIMARY") ?? {};
    default:
      return body as Answer;
  }
}

/** Keys whose values the API returns as hashes. */
const SECRET = /_(secrets?|pass|auth_token|access_key|api_key|api_secret)$/;

function compared({ section, key, value, setBy }: WantedSetting, actual: Answer): ComparedSetting {
  const common = { section, key, setBy };
  if (value === undefined || SECRET.test(key)) return { ...common, wanted: "", actual: "", state: "hidden" };
  const found = key.split(".").reduce<unknown>((inner, part) => (inner as Answer | undefined)?.[part], actual);
  const same = canonical(key, value) === canonical(key, found);
  return { ...common, wanted: textOf(value), actual: textOf(found), state: same ? "same" : "differs" };
}

/** A value in one of the forms that mean the same. */
function canonical(key: string, value: unknown): string {
  if (value === null || value === undefined) return "";
  if (Array.isArray(value)) return value.map(textOf).sort().join();
  const text = textOf(value);
  if (key.endsWith("_timeout")) return String(milliseconds(text));
  const list = text.split(",").map((each) => each.trim());
  // The first schema is the default one: only the lists of addresses have no order.
  return (key.endsWith("_list") ? list.sort() : list).join();
}

const UNITS: Readonly<Record<string, number>> = { "": 1, ms: 1, s: 1000, min: 60_000, h: 3_600_000, d: 86_400_000 };

/** A time of PostgreSQL, whose unit is a millisecond where there is none; the text itself if it is none. */
function milliseconds(text: string): number | string {
  const [, count, unit = ""] = /^(\d+) *([a-z]*)$/.exec(text) ?? [];
  const factor = UNITS[unit];
  return count === undefined || factor === undefined ? text : Number(count) * factor;
}

function listOf(body: unknown): readonly Answer[] {
  return Array.isArray(body) ? (body as Answer[]) : [];
}

function textOf(value: unknown): string {
  if (value === null || value === undefined) return "";
  if (Array.isArray(value)) return value.map(textOf).join(",");
  return typeof value === "string" ? value : JSON.stringify(value);
}

function failureOf(error: unknown): FailedCall {
  if (!(error instanceof UserError)) throw error;
  return { call: error.where, problem: error.message, fix: error.fix.toString() };
}
