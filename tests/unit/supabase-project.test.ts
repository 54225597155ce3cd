import { mkdtempSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { plan, renderPlan } from "../../cli/commands/plan.ts";
import { SupabaseDatabase, type SupabaseTarget } from "../../components/database/supabase.ts";
import type { ProjectComparison } from "../../contract/supabase/project.ts";
import { PROJECT_ROOT } from "../../operations/images/paths.ts";
import { compareProject } from "../../operations/supabase/compare.ts";
import type { PlanReport } from "../../policies/report/model.ts";
import { captureProgram } from "../../synth/capture.ts";
import { startSupabaseApi, type SupabaseApi } from "../support/supabase-api/server.ts";
import type { ProjectState } from "../support/supabase-api/world.ts";
import { runVerb } from "../support/verbs.ts";

const TOKEN = `sbp_${"1".repeat(40)}`;

let api: SupabaseApi;
let project: ProjectState;
beforeEach(async () => {
  api = await startSupabaseApi({ token: TOKEN });
  project = api.world.addProject({ name: "exai", organization: "acme", region: "eu-central-1" });
});
afterEach(() => api.close());

const environment = (token = TOKEN) => ({ SUPABASE_ACCESS_TOKEN: token, SUPABASE_API_ENDPOINT: api.url });

function target(kind: "existing" | "new" | "branch"): SupabaseTarget {
  if (kind === "existing") return { kind, ref: project.ref, password: undefined };
  if (kind === "branch") return { kind, parentRef: project.ref, gitBranch: "staging", region: "eu-central-1" };
  const named = { organization: "acme", name: "exai", region: "eu-central-1", instanceSize: "small" };
  return { kind, project: named, password: "x" };
}

/** The declaration of a project that is as the API has it, but for what a test changes there. */
const declared = (kind: "existing" | "new" | "branch" = "existing") =>
  captureProgram("prod", () => {
    new SupabaseDatabase("database", {
      target: target(kind),
      settings: {
        api: { schemas: ["public", "graphql_public"], maxRows: 1000 },
        auth: { siteUrl: "http://localhost:3000", redirectUrls: ["https://b.example", "https://a.example"] },
        database: { statementTimeout: "300s" },
        network: { allowedCidrs: ["203.0.113.0/24", "2001:db8::/32"] },
        storage: { fileSizeLimit: 52_428_800, imageTransformation: false },
      },
      functions: [],
      functionSecrets: {},
      protect: true,
      pointInTimeRecovery: true,
      poolSize: 20,
    });
    return Promise.resolve({});
  });

/** Gives the project what the program declares, in other words. */
function asDeclared(state: ProjectState = project): void {
  state.database.statement_timeout = "5min";
  state.auth.uri_allow_list = "https://a.example, https://b.example";
  state.network.dbAllowedCidrs.splice(0, 1, "203.0.113.0/24");
  state.network.dbAllowedCidrsV6.splice(0, 1, "2001:db8::/32");
  state.poolSize = 20;
  state.pointInTimeRecovery = true;
}

type Compared = Extract<ProjectComparison, { outcome: "compared" }>;
async function comparison(kind?: "existing" | "new" | "branch"): Promise<Compared> {
  return (await compareProject(await declared(kind), environment())) as Compared;
}

const differing = ({ settings }: Compared) =>
  settings.flatMap(({ section, key, wanted, actual, state, setBy }) =>
    state === "same" ? [] : [[`${section}.${key}`, wanted, actual, setBy]],
  );

describe("the settings of a Supabase project", () => {
  it("are the same where the API has them in other words", async () => {
    asDeclared();
    const { ref, settings, failures } = await comparison();
    expect([ref, failures, settings.filter(({ state }) => state !== "same")]).toEqual([project.ref, [], []]);
    expect(new Set(settings.map(({ section }) => section))).toEqual(
      new Set(["api", "auth", "database", "network", "storage", "pooler", "backups"]),
    );
  });

  it("are shown by key where they differ, each with what sets it", async () => {
    project.api.max_rows = 100_000;
    project.api.db_schema = "graphql_public,public";
    project.storage.features = { imageTransformation: { enabled: true }, s3Protocol: { enabled: true } };
    const { settings, failures } = await comparison();
    expect(failures).toEqual([]);
    expect(differing({ outcome: "compared", settings, failures })).toEqual([
      ["api.db_schema", "public,graphql_public", "graphql_public,public", "up"],
      ["api.max_rows", "1000", "100000", "up"],
      ["auth.uri_allow_list", "https://b.example,https://a.example", "", "up"],
      ["database.statement_timeout", "300s", "", "up"],
      ["network.restrictions", "203.0.113.0/24,2001:db8::/32", "0.0.0.0/0,::/0", "up"],
      ["storage.features.imageTransformation.enabled", "false", "true", "up"],
      ["pooler.default_pool_size", "20", "", "dashboard"],
      ["backups.pitr_enabled", "true", "false", "dashboard"],
    ]);
  });

  it("name each call that fails, with what to do, and compare the others", async () => {
    asDeclared();
    api.failNext("GET", "/config/auth", 403);
    api.failNext("GET", "/network-restrictions", 500);
    const { settings, failures } = await comparison();
    expect(failures).toEqual([
      {
        call: `GET /v1/projects/${project.ref}/config/auth`,
        problem: "answered 403: made to fail",
        fix: "use an access token with the permissions for this call, of a member who has them",
      },
      {
        call: `GET /v1/projects/${project.ref}/network-restrictions`,
        problem: "answered 500: made to fail",
        fix: "see https://status.supabase.com, then run the command again",
      },
    ]);
    expect(settings.map(({ section }) => section)).not.toContain("auth");
    expect(settings.map(({ section }) => section)).toContain("storage");
  });

  it("are those of the branch that runs the Git branch, or of the project with that name", async () => {
    expect(await comparison("branch")).toEqual({ outcome: "absent" });
    api.world.addBranch(project, "main", undefined, undefined);
    const branch = api.world.addBranch(project, "preview", "staging", undefined);
    expect((await comparison("branch")).ref).toBe(branch.project.ref);
    expect((await comparison("new")).ref).toBe(project.ref);
    api.world.addProject({ name: "exai", organization: "acme", region: "eu-central-1" });
    expect((await comparison("new")).failures).toMatchObject([{ problem: "found 2 projects with the name exai" }]);
    api.world.projects.clear();
    expect(await comparison("new")).toEqual({ outcome: "absent" });
  });

  it("are not read without a token, or by an API that only the stack names, and nothing is sent", async () => {
    expect(await compareProject(await declared(), {})).toEqual({ outcome: "not-read", reason: "no-token" });
    const graph = await declared();
    const elsewhere = { ...graph.resources[0], type: "pulumi:providers:supabase", inputs: { endpoint: api.url } };
    const named = { ...graph, resources: [...graph.resources, elsewhere] } as typeof graph;
    const answer = await compareProject(named, { SUPABASE_ACCESS_TOKEN: TOKEN });
    expect(answer).toEqual({ outcome: "not-read", reason: "other-endpoint" });
    expect(api.requests).toEqual([]);
    expect(await compareProject(named, environment())).toMatchObject({ outcome: "compared" });
  });

  it("never show a secret: neither the token nor a value that the API has as a hash", async () => {
    const graph = await declared();
    const resources = graph.resources.map((each) =>
      each.type === "supabase:index/settings:Settings"
        ? { ...each, inputs: { ...each.inputs, auth: JSON.stringify({ external_github_secret: "the-secret" }) } }
        : each,
    );
    project.auth.external_github_secret = "hash-of-it";
    const result = (await compareProject({ ...graph, resources }, environment())) as Compared;
    expect(result.settings.filter(({ state }) => state === "hidden").map(({ key }) => key)).toEqual([
      "external_github_secret",
    ]);
    const refused = (await compareProject(graph, environment("sbp_wrong"))) as Compared;
    expect(new Set(refused.failures.map(({ problem }) => problem))).toEqual(new Set(["answered 401: Unauthorized"]));
    expect(JSON.stringify([result, refused])).not.toMatch(/the-secret|hash-of-it|sbp_/);
  });
});

describe("plan", () => {
  /** The project's own files, with a project that the API has. */
  function root(): string {
    const folder = mkdtempSync(join(tmpdir(), "exai-plan-project-"));
    for (const name of readdirSync(PROJECT_ROOT))
      if (name !== "Pulumi.prod.yaml") symlinkSync(join(PROJECT_ROOT, name), join(folder, name));
    const file = readFileSync(join(PROJECT_ROOT, "Pulumi.prod.yaml"), "utf8");
    const own = [
      `  exai:supabaseProjectRef: ${project.ref}`,
      `  exai:supabaseEndpoint: ${api.url}`,
      "  exai:supabaseDatabasePassword:",
      "    secure: v1:abc",
    ];
    writeFileSync(join(folder, "Pulumi.prod.yaml"), `${file.trimEnd()}\n${own.join("\n")}\n`);
    return folder;
  }
  const planned = async (given: ReturnType<typeof environment> | Record<string, never>) =>
    runVerb(plan(["prod"], { root: root(), environment: given }));

  it("shows wanted and actual settings, and says that it did not look", async () => {
    project.auth.jwt_exp = 604_800;
    const { text, events } = await planned(environment());
    expect(text).toMatch(new RegExp(`Supabase project ${project.ref}: \\d+ settings as declared, \\d+ otherwise`));
    expect(text).toMatch(/auth\.jwt_exp +3600 +604800 +up/);
    const report = (events.at(-1) as unknown as { data: PlanReport }).data;
    expect(renderPlan(report, "markdown")).toContain("| `auth.jwt_exp` | `3600` | `604800` | `up` |");
    const schema = JSON.parse(
      readFileSync(join(PROJECT_ROOT, "policies/report/plan.schema.json"), "utf8"),
    ) as z.core.JSONSchema.JSONSchema;
    expect(z.fromJSONSchema(schema).safeParse(JSON.parse(renderPlan(report, "json"))).error).toBeUndefined();
    expect((await planned({})).text).toContain(
      "Supabase project: not compared, since SUPABASE_ACCESS_TOKEN is not set",
    );
  });

  it("is inconclusive if a call fails", async () => {
    expect((await planned(environment())).code).toBe(0);
    api.failNext("GET", "/config/auth", 429);
    const { text, code } = await planned(environment());
    expect(text).toContain(`x GET /v1/projects/${project.ref}/config/auth answered 429: made to fail`);
    expect(text).toContain("fix: wait a minute");
    expect(code).toBe(2);
  });
});
