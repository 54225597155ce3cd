import type { Results } from "../../../cli/results.ts";
import type { SchemaDifference } from "../../../operations/schema-facts/compare.ts";

type BranchVerb = Extract<keyof Results, `branch ${string}`>;

const AT = "2026-11-29T09:00:00.000Z";

const BRANCH: Results["branch status"]["branch"] = {
  ...{ name: "new-search-of-the-support-team", state: "MIGRATIONS_PASSED", createdAt: AT, lsn: "0/5000028", asOf: AT },
  ...{ by: "ann@workstation.example.com", source: "spare", server: "running", sizeBytes: 2e9 },
};
const FAILED: Results["branch status"]["branch"] = {
  ...{ name: "b2", state: "MIGRATIONS_FAILED", createdAt: AT, by: "ann@w", server: "stopped" },
  ...{ target: { kind: "time", value: AT }, reason: 'supabase/migrations/1_a.sql: relation "a" exists' },
};
const DIFFERENCES: readonly SchemaDifference[] = [
  { kind: "table", object: "table public.searches", change: "added", attributes: [] },
  ...(["id", "words"] as const).map((name): SchemaDifference => ({
    ...{ kind: "column", object: `column public.searches.${name}`, change: "added", attributes: [] },
    partOf: "table public.searches",
  })),
  {
    ...{ kind: "column", object: "column public.files.name", change: "changed" },
    attributes: [
      { name: "type", from: "text", to: "character varying(200)" },
      { name: "owner", to: "role exai" },
    ],
  },
];

/** Results of the verbs of `branch`, with long names and with parts that are missing. */
export const BRANCH_SAMPLES: {
  readonly [Verb in BranchVerb]: readonly [Results[Verb], ...Results[Verb][]];
} = {
  "branch create": [
    { branch: BRANCH, seconds: 0.9 },
    { branch: FAILED, seconds: 14 },
  ],
  "branch list": [{ branches: [BRANCH, FAILED] }, { branches: [] }],
  "branch status": [
    { branch: BRANCH, url: "postgres://postgres@127.0.0.1:54400/postgres", passwords: "/x/.exai/local/secrets.json" },
    { branch: FAILED },
  ],
  "branch diff": [
    { name: BRANCH.name, branch: DIFFERENCES, main: [], between: DIFFERENCES },
    { name: BRANCH.name, branch: [], main: [], between: [] },
  ],
  "branch reset": [{ branch: BRANCH, seconds: 3.2 }],
  "branch delete": [{ name: BRANCH.name, seconds: 0.2 }],
};
