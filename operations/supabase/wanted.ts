import { Secret, Unknown, type Inputs, type ResourceGraph, type Value } from "../../contract/graph.ts";
import type { ComparedSetting, SettingSection } from "../../contract/supabase/project.ts";

/** Where a stack's project is. */
export type ProjectPlace =
  | { readonly kind: "ref"; readonly ref: string }
  | { readonly kind: "branch"; readonly parent: string; readonly gitBranch: string }
  | { readonly kind: "new"; readonly organization: string; readonly name: string };

/** A setting that the program declares; without a value it is known only during `up`. */
export interface WantedSetting extends Pick<ComparedSetting, "section" | "key" | "setBy"> {
  readonly value?: Exclude<Value, Unknown | Secret>;
}

/** What a stack declares for its Supabase project. */
export interface WantedProject {
  /** Absent if it is known only during `up`. */
  readonly place?: ProjectPlace;
  /** The API that the program uses, where it names one. */
  readonly endpoint?: string;
  readonly settings: readonly WantedSetting[];
}

/** Sections that the resource of the settings has. */
const SECTIONS: readonly SettingSection[] = ["api", "auth", "database", "network", "storage"];

/** The declared settings of a stack's Supabase project; undefined for a stack without one. */
export function wantedProject({ resources }: ResourceGraph): WantedProject | undefined {
  const inputsOf = (type: string): Inputs | undefined => resources.find((each) => each.type === type)?.inputs;
  const settings = inputsOf("supabase:index/settings:Settings");
  if (settings === undefined) return undefined;
  const [branch, project] = [inputsOf("supabase:index/branch:Branch"), inputsOf("supabase:index/project:Project")];
  const declared = inputsOf("exai:database:SupabaseDatabase");
  const endpoint = inputsOf("pulumi:providers:supabase")?.endpoint;
  const place = placeOf(settings, branch, project);
  return {
    ...(place === undefined ? {} : { place }),
    ...(typeof endpoint === "string" ? { endpoint } : {}),
    settings: [
      ...SECTIONS.flatMap((section) => sectionSettings(section, settings[section])),
      ...(typeof branch?.persistent === "boolean"
        ? [{ section: "branch" as const, key: "persistent", value: branch.persistent, setBy: "up" as const }]
        : []),
      // The provider has no way to set these.
      ...(typeof declared?.poolSize === "number"
        ? [
            {
              section: "pooler" as const,
              key: "default_pool_size",
              value: declared.poolSize,
              setBy: "dashboard" as const,
            },
          ]
        : []),
      ...(declared?.pointInTimeRecovery === true
        ? [{ section: "backups" as const, key: "pitr_enabled", value: true, setBy: "dashboard" as const }]
        : []),
    ],
  };
}

function placeOf(settings: Inputs, branch: Inputs | undefined, project: Inputs | undefined): ProjectPlace | undefined {
  if (typeof settings.projectRef === "string") return { kind: "ref", ref: settings.projectRef };
  const [parent, gitBranch] = [branch?.parentProjectRef, branch?.gitBranch];
  if (typeof parent === "string" && typeof gitBranch === "string") return { kind: "branch", parent, gitBranch };
  const [organization, name] = [project?.organizationId, project?.name];
  if (typeof organization === "string" && typeof name === "string") return { kind: "new", organization, name };
  return undefined;
}

function sectionSettings(section: SettingSection, value: Value | undefined): readonly WantedSetting[] {
  if (value === undefined || value === null) return [];
  // A section is one text; with one value that is not known, all of it is not.
  if (typeof value !== "string") return [{ section, key: "", setBy: "up" }];
  return leaves(JSON.parse(value) as Value).map(([path, leaf]) => ({ section, key: path, value: leaf, setBy: "up" }));
}

/** The values of an object at any depth, by their paths. Lists are values. */
function leaves(value: Value, path = ""): readonly (readonly [string, NonNullable<WantedSetting["value"]>])[] {
  if (value === null || value instanceof Unknown || value instanceof Secret) return [];
  if (typeof value !== "object" || Array.isArray(value)) return [[path, value]];
  return Object.entries(value).flatMap(([key, each]: [string, Value]) =>
    leaves(each, path === "" ? key : `${path}.${key}`),
  );
}
