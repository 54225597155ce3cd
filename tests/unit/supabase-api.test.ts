import { createHash } from "node:crypto";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { startSupabaseApi, type SupabaseApi } from "../support/supabase-api/server.ts";

interface Answer {
  readonly status: number;
  readonly body: Record<string, unknown>;
}

describe("the stand-in for Supabase's Management API", () => {
  let api: SupabaseApi;
  beforeEach(async () => {
    api = await startSupabaseApi();
  });
  afterEach(() => api.close());

  async function ask(method: string, path: string, body?: unknown, token = "sbp_test"): Promise<Answer> {
    const response = await fetch(`${api.url}/v1${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, body: (text === "" ? {} : JSON.parse(text)) as Record<string, unknown> };
  }
  const create = async (): Promise<string> =>
    String(
      (
        await ask("POST", "/projects", {
          name: "exai",
          organization_slug: "acme",
          db_pass: "password",
          region_selection: { type: "specific", code: "eu-central-1" },
          desired_instance_size: "small",
        })
      ).body.id,
    );

  it("refuses a request without an access token", async () => {
    expect((await ask("GET", "/projects/abc", undefined, "nonsense")).status).toBe(401);
  });

  it("brings a project up, and forgets it when it is deleted", async () => {
    const ref = await create();
    expect(ref).toMatch(/^[a-z]{20}$/);
    expect((await ask("GET", `/projects/${ref}`)).body).toMatchObject({ status: "COMING_UP", region: "eu-central-1" });
    expect((await ask("GET", `/projects/${ref}`)).body.status).toBe("ACTIVE_HEALTHY");
    const addons = (await ask("GET", `/projects/${ref}/billing/addons`)).body.selected_addons;
    expect(addons).toMatchObject([{ variant: { id: "ci_small" } }]);
    expect((await ask("DELETE", `/projects/${ref}`)).status).toBe(200);
    expect((await ask("GET", `/projects/${ref}`)).status).toBe(404);
  });

  it("keeps what a section was set to, and the rest of it", async () => {
    const ref = await create();
    await ask("PATCH", `/projects/${ref}/postgrest`, { max_rows: 7 });
    expect((await ask("GET", `/projects/${ref}/postgrest`)).body).toMatchObject({
      max_rows: 7,
      db_schema: "public,graphql_public",
    });
    const applied = await ask("POST", `/projects/${ref}/network-restrictions/apply`, {
      dbAllowedCidrs: ["203.0.113.0/24"],
    });
    expect(applied.status).toBe(201);
    expect((await ask("GET", `/projects/${ref}/network-restrictions`)).body).toMatchObject({
      config: { dbAllowedCidrs: ["203.0.113.0/24"] },
    });
  });

  it("says that branching is off until the first branch, which is the project itself", async () => {
    const ref = await create();
    expect((await ask("GET", `/projects/${ref}/branches`)).status).toBe(422);
    const production = await ask("POST", `/projects/${ref}/branches`, { branch_name: "Production" });
    expect(production.body).toMatchObject({ is_default: true, project_ref: ref });
    const staging = await ask("POST", `/projects/${ref}/branches`, { branch_name: "staging", git_branch: "staging" });
    expect(staging.status).toBe(201);
    const database = (await ask("GET", `/branches/${String(staging.body.id)}`)).body;
    expect(database.ref).toMatch(/^[a-z]{20}$/);
    expect(database.ref).not.toBe(ref);
    expect((await ask("POST", `/projects/${ref}/branches`, { branch_name: "x", git_branch: "staging" })).status).toBe(
      409,
    );
    expect((await ask("DELETE", `/branches/${String(staging.body.id)}`)).status).toBe(200);
    expect((await ask("GET", `/projects/${String(database.ref)}`)).status).toBe(404);
  });

  it("never returns a secret, only its digest, and refuses reserved names", async () => {
    const ref = await create();
    expect((await ask("POST", `/projects/${ref}/secrets`, [{ name: "KEY", value: "content" }])).status).toBe(201);
    const digest = createHash("sha256").update("content").digest("hex");
    expect((await ask("GET", `/projects/${ref}/secrets`)).body).toEqual([{ name: "KEY", value: digest }]);
    expect((await ask("POST", `/projects/${ref}/secrets`, [{ name: "SUPABASE_URL", value: "x" }])).status).toBe(400);
  });

  it("gives a function a new version for each deployment and the same checksum for the same source", async () => {
    const ref = await create();
    const deploy = async (source: string): Promise<Record<string, unknown>> => {
      const form = new FormData();
      form.append("file", new Blob([source]), "index.ts");
      form.append("metadata", JSON.stringify({ entrypoint_path: "index.ts", name: "verify" }));
      const response = await fetch(`${api.url}/v1/projects/${ref}/functions/deploy?slug=verify-jwt`, {
        method: "POST",
        headers: { authorization: "Bearer sbp_test" },
        body: form,
      });
      expect(response.status).toBe(201);
      return (await response.json()) as Record<string, unknown>;
    };
    const first = await deploy("one");
    expect(first).toMatchObject({ slug: "verify-jwt", name: "verify", version: 1 });
    expect((await deploy("two")).ezbr_sha256).not.toBe(first.ezbr_sha256);
    expect(await deploy("one")).toMatchObject({ version: 3, id: first.id, ezbr_sha256: first.ezbr_sha256 });
  });

  it("fails on demand, once", async () => {
    const ref = await create();
    api.failNext("GET", "/postgrest", 503);
    expect((await ask("GET", `/projects/${ref}/postgrest`)).status).toBe(503);
    expect((await ask("GET", `/projects/${ref}/postgrest`)).status).toBe(200);
  });
});
