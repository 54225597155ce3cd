import { describe, expect, it } from "vitest";
import { Secret, Unknown, type Resource } from "../../contract/graph.ts";
import {
  poolerHost,
  publicKey,
  serviceKey,
  SupabaseDatabase,
  type SupabaseDatabaseArgs,
  type SupabaseTarget,
} from "../../components/database/supabase.ts";
import { sections, type SupabaseSettings } from "../../components/database/settings.ts";
import { captureProgram } from "../../synth/capture.ts";

const NEW: SupabaseTarget = {
  kind: "new",
  project: { organization: "acme", name: "exai", region: "eu-central-1", instanceSize: "small" },
  password: "database-password",
};
const EXISTING: SupabaseTarget = { kind: "existing", ref: "abcdefghijklmnopqrst", password: undefined };
const BRANCH: SupabaseTarget = {
  kind: "branch",
  parentRef: "abcdefghijklmnopqrst",
  gitBranch: "staging",
  region: "eu-central-1",
};

const SETTINGS: SupabaseSettings = {
  api: { schemas: ["public"], maxRows: 500 },
  auth: { siteUrl: "https://exai.example.com", redirectUrls: [], signUps: true, passwordLength: 12 },
  database: { statementTimeout: "30s" },
  network: {},
  storage: { imageTransformation: false },
};

const common: Omit<SupabaseDatabaseArgs, "target"> = {
  settings: SETTINGS,
  functions: [{ slug: "verify-jwt", entrypoint: "supabase/functions/verify-jwt/index.ts" }],
  functionSecrets: { EXAI_JWT_TOKEN: "current-key", EXAI_JWT_TOKEN_PREVIOUS: undefined },
  protect: true,
};

async function build(target: SupabaseTarget, more: Partial<SupabaseDatabaseArgs> = {}): Promise<Map<string, Resource>> {
  const graph = await captureProgram("prod", () => {
    new SupabaseDatabase("database", { ...common, target, ...more });
    return Promise.resolve({});
  });
  return new Map(graph.resources.map((resource) => [resource.type.split(":").at(-1) ?? "", resource]));
}

describe("a Supabase database", () => {
  it("is a new project, protected, its password secret", async () => {
    const made = await build(NEW);
    const project = made.get("Project");
    expect(project?.inputs).toMatchObject({
      organizationId: "acme",
      name: "exai",
      region: "eu-central-1",
      instanceSize: "small",
    });
    expect(project?.inputs.databasePassword).toBeInstanceOf(Secret);
    expect(project?.options.protect).toBe(true);
    expect(made.has("Branch")).toBe(false);
  });

  it("is an existing project, of which nothing is created again", async () => {
    const made = await build(EXISTING);
    expect(made.has("Project") || made.has("Branch")).toBe(false);
    expect(made.get("Settings")?.inputs.projectRef).toBe("abcdefghijklmnopqrst");
  });

  it("is a branch, whose settings and functions are its own and not the parent's", async () => {
    const made = await build(BRANCH, { protect: false });
    const branch = made.get("Branch");
    expect(branch?.inputs).toMatchObject({ parentProjectRef: "abcdefghijklmnopqrst", gitBranch: "staging" });
    expect(branch?.options.protect).toBe(false);
    for (const type of ["Settings", "EdgeFunction", "EdgeFunctionSecrets"]) {
      expect(made.get(type)?.inputs.projectRef, type).toBeInstanceOf(Unknown);
      expect(made.get(type)?.propertyDependencies.projectRef, type).toEqual([branch?.urn]);
    }
  });

  it("deploys functions by a path that is the same on every machine, after the settings", async () => {
    const made = await build(EXISTING);
    const entrypoint = made.get("EdgeFunction")?.inputs.entrypoint;
    expect(entrypoint).toBe("supabase/functions/verify-jwt/index.ts");
    expect(made.get("EdgeFunction")?.dependencies).toContain(made.get("Settings")?.urn);
  });

  it("gives functions the secrets that exist, marked secret", async () => {
    const secrets = (await build(EXISTING)).get("EdgeFunctionSecrets")?.inputs.secrets as
      readonly { name: string; value: unknown }[] | undefined;
    expect(secrets?.map(({ name }) => name)).toEqual(["EXAI_JWT_TOKEN"]);
    expect(secrets?.[0]?.value).toBeInstanceOf(Secret);
    const none = await build(EXISTING, { functionSecrets: {} });
    expect(none.has("EdgeFunctionSecrets")).toBe(false);
  });
});

describe("the settings of the project", () => {
  it("are JSON with the Management API's names", () => {
    const all = sections({ ...SETTINGS, network: { allowedCidrs: ["203.0.113.0/24"] } });
    expect(Object.fromEntries(Object.entries(all).map(([section, text]) => [section, JSON.parse(text)]))).toEqual({
      api: { db_schema: "public", db_extra_search_path: "public,extensions", max_rows: 500 },
      auth: {
        site_url: "https://exai.example.com",
        uri_allow_list: "",
        disable_signup: false,
        password_min_length: 12,
      },
      database: { statement_timeout: "30s" },
      network: { restrictions: ["203.0.113.0/24"] },
      storage: { features: { imageTransformation: { enabled: false } } },
    });
  });

  it("leave a section alone that sets nothing", () => {
    const none = sections({ ...SETTINGS, storage: {} });
    expect(Object.keys(none)).toEqual(["api", "auth", "database"]);
  });
});

describe("the keys of the project", () => {
  it("are the old kind where it is on, else the new one", () => {
    const both = { anonKey: "a", publishableKey: "p", serviceRoleKey: "s", secretKeys: [{ apiKey: "k" }] };
    expect([publicKey(both), serviceKey(both)]).toEqual(["a", "s"]);
    const fresh = { anonKey: "", publishableKey: "p", serviceRoleKey: "", secretKeys: [{ apiKey: "k" }] };
    expect([publicKey(fresh), serviceKey(fresh)]).toEqual(["p", "k"]);
  });

  it("are refused where there are none, with the place to switch them on", () => {
    expect(() => publicKey({})).toThrow(/anon or publishable key: enable one/);
    expect(() => serviceKey({ secretKeys: [] })).toThrow(/service_role or secret key: enable one/);
  });
});

describe("the pooler", () => {
  it("is found in the connection string, its placeholder for the password included", () => {
    const url = "postgresql://postgres.ref:[YOUR-PASSWORD]@aws-0-eu-central-1.pooler.supabase.com:6543/postgres";
    expect(poolerHost({ transaction: url })).toBe("aws-0-eu-central-1.pooler.supabase.com");
  });

  it("is refused where there is none", () => {
    expect(() => poolerHost({})).toThrow(/no connection pooler/);
  });
});
