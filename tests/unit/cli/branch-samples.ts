import type { SchemaChange } from "../../../operations/branches/merge/change.ts";
import type { Results } from "../../../cli/results.ts";
import type { SchemaDifference } from "../../../operations/schema-facts/compare.ts";

type BranchVerb = Extract<keyof Results, `branch ${string}`>;

const AT = "2026-11-29T09:00:00.000Z";

const BRANCH: Results["branch status"]["branch"] = {
  ...{ name: "new-search-of-the-support-team", state: "MIGRATIONS_PASSED", createdAt: AT, lsn: "0/5000028", asOf: AT },
  ...{ ageSeconds: 7_200, by: "ann@workstation.example.com", source: "spare", server: "running", sizeBytes: 2e9 },
};
const FAILED: Results["branch status"]["branch"] = {
  ...{ name: "b2", state: "MIGRATIONS_FAILED", createdAt: AT, by: "ann@w", server: "stopped", ageSeconds: 60 },
  ...{ target: { kind: "time", value: AT }, reason: 'supabase/migrations/1_a.sql: relation "a" exists' },
};
const HOSTED: Results["branch status"]["branch"] = {
  ...{ name: "hosted", state: "FUNCTIONS_DEPLOYED", createdAt: AT, server: "running", ageSeconds: 200_000 },
  ...{ project: "abcdefghijklmnopqrst", withData: false, persistent: true },
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

const CHANGE = {
  ...{ name: BRANCH.name, conflicts: [], files: [], seconds: 4.2 },
  parked: [{ table: "public.files", columns: ["name", "size"], rows: false, store: "files_20261129090000" }],
  putBack: [{ table: "public.notes", columns: ["id"], rows: true, store: "notes_20261128090000" }],
  steps: [
    {
      sql: 'ALTER TABLE "public"."files" DROP COLUMN "name"',
      destructive: true,
      rewrites: false,
      transaction: "with-others",
    },
  ],
} as const;

const CHANGES: readonly [SchemaChange, ...SchemaChange[]] = [
  { ...CHANGE, outcome: "applied", files: ["supabase/migrations/20261129090000_merge_new_search.sql"] },
  { ...CHANGE, outcome: "planned" },
  { ...CHANGE, outcome: "nothing", steps: [] },
  { ...CHANGE, outcome: "destructive" },
  { ...CHANGE, outcome: "not-proved", proof: { order: "main-first", problem: 'column "n" contains null values' } },
  {
    ...{ ...CHANGE, outcome: "conflicts", steps: [] },
    conflicts: [
      {
        object: "column public.files.name",
        reason: "both-changed",
        main: '{"type":"text"}',
        branch: "{}",
        users: [],
      },
      { object: "table public.files", reason: "removed-and-used", main: "{}", users: ["view public.names"] },
    ],
  },
];

const SHADOW = {
  ...{ name: BRANCH.name, transactions: 5_000, operations: 10_000, seconds: 14 },
  ...{ main: { p50: 0.4, p95: 1.2 }, branch: { p50: 0.5, p95: 12 } },
} as const;

/** Results of the verbs of `branch`, with long names and with parts that are missing. */
export const BRANCH_SAMPLES: {
  readonly [Verb in BranchVerb]: readonly [Results[Verb], ...Results[Verb][]];
} = {
  "branch create": [
    { branch: HOSTED, seconds: 140, stack: "prod" },
    { branch: BRANCH, seconds: 0.9 },
    { branch: FAILED, seconds: 14 },
  ],
  "branch list": [{ branches: [BRANCH, FAILED] }, { branches: [] }, { branches: [HOSTED], stack: "prod" }],
  "branch status": [
    { branch: BRANCH, url: "postgres://postgres@127.0.0.1:54400/postgres", passwords: "/x/.exai/local/secrets.json" },
    { branch: FAILED },
    { branch: HOSTED, url: "postgres://postgres.abcdefghijklmnopqrst@pooler.example.com:5432/postgres", stack: "prod" },
  ],
  "branch diff": [
    { name: BRANCH.name, branch: DIFFERENCES, main: [], between: DIFFERENCES },
    { name: BRANCH.name, branch: [], main: [], between: [] },
  ],
  "branch merge": CHANGES,
  "branch revert": CHANGES,
  "branch record": [
    {
      ...{ file: "/x/workload.jsonl", slots: ["blue"], transactions: 1200, statements: 4100, users: 17 },
      ...{ leftOut: 0, dropped: 0, ended: "time", seconds: 300 },
    },
    {
      ...{
        stack: "prod",
        file: "/x/workload.jsonl",
        slots: ["blue", "green"],
        transactions: 1,
        statements: 1,
        users: 1,
      },
      ...{ leftOut: 2, dropped: 1, ended: "interrupted", seconds: 12.4 },
    },
    {
      ...{ file: "/x/workload.jsonl", slots: ["blue"], transactions: 100, statements: 300, users: 1 },
      ...{ leftOut: 0, dropped: 0, ended: "limit", seconds: 2 },
    },
  ],
  "branch shadow": [
    { ...SHADOW, different: 0, differences: [], slower: [], volatile: [], unstable: [] },
    {
      ...{ ...SHADOW, different: 2, unstable: [12], volatile: ["created_at of insert into public.files"] },
      differences: [
        {
          line: 3,
          sql: "select id from public.files",
          kind: "rows",
          main: '1 row; ["a"]',
          branch: "0 rows; no other row",
        },
        {
          line: 4,
          sql: "update public.files set name = $1",
          kind: "error",
          main: "1 row",
          branch: "42501: permission denied",
        },
      ],
      slower: [
        { sql: "select count(*) from public.files", runs: 40, main: { p50: 1, p95: 2 }, branch: { p50: 30, p95: 41 } },
      ],
    },
  ],
  "branch test": [{ name: BRANCH.name, passed: 22, failed: 0, files: [] }],
  "branch reset": [{ branch: BRANCH, seconds: 3.2 }],
  "branch delete": [{ name: BRANCH.name, seconds: 0.2 }],
};
