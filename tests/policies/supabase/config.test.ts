import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import type { Database } from "../../../policies/database/facts.ts";
import { renderPlan } from "../../../cli/commands/plan.ts";
import { readDatabase } from "../../../policies/database/read.ts";
import { readConfig } from "../../../policies/reading/supabase/config.ts";
import { judgeStack, planReportOf } from "../../../policies/report/model.ts";
import { RULES } from "../../../policies/rules/index.ts";
import { graph, outcomeIn } from "../support.ts";

// cspell:ignore googleusercontent sendgrid

const roots: string[] = [];
afterAll(() => {
  for (const root of roots) rmSync(root, { recursive: true, force: true });
});

/** A project of some files below `supabase`. */
function project(files: Readonly<Record<string, string>>): string {
  const root = mkdtempSync(join(tmpdir(), "exai-config-"));
  roots.push(root);
  for (const [file, text] of Object.entries(files)) {
    const path = join(root, "supabase", file);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }
  return root;
}

function rule(name: string) {
  const found = RULES.find((each) => each.name === name);
  if (found === undefined) throw new Error(name);
  return found;
}

/** The findings about a file of settings: object, line and message. */
function findings(text: string): string[] {
  const config = readConfig(project({ "config.toml": text }));
  return outcomeIn(rule("supabase-config"), graph("prod"), {
    config,
    alternatives: [],
  } as unknown as Database).findings.map(
    ({ place, message }) =>
      `${place.source?.line ?? 0} ${place.object?.replace("supabase/config.toml ", "") ?? ""}: ${message}`,
  );
}

const ALONE = `
[api]
schemas = ["public", "graphql_public"]
extra_search_path = ["public", "extensions"]
[auth]
site_url = "env(SITE_URL)"
additional_redirect_urls = ["https://app.example.com/**", "myapp://login", "exp://192.168.1.5:19000", "https://*-my-team.vercel.app/**", "http://localhost:3000/**"]
enable_anonymous_sign_ins = true
[auth.email.smtp]
host = "smtp.sendgrid.net"
user = "apikey"
pass = "env(SENDGRID_API_KEY)"
[auth.external.google]
enabled = true
client_id = "123456789012-abcdefghijklmnopqrstuvwxyz012345.apps.googleusercontent.com"
secret = "encrypted:BGE8Z2Vm0mUq8gqWzYqM0PzTq"
skip_nonce_check = true
[auth.hook.custom_access_token]
enabled = true
uri = "pg-functions://postgres/public/custom_access_token_hook"
[auth.hook.send_email]
enabled = true
uri = "http://host.docker.internal:54321/functions/v1/send-email"
secrets = "env(SEND_EMAIL_HOOK_SECRET)"
[edge_runtime.secrets]
STRIPE_KEY = "env(STRIPE_KEY)"
# Stripe signs its requests.
# declared: the function verifies the signature of Stripe
[functions.stripe-webhook]
verify_jwt = false
import_map = "./functions/stripe-webhook/deno.json"
[functions.mail]
# declared: the function takes part in the sign-up of new users
verify_jwt = false
[storage.buckets.avatars]
public = false
file_size_limit = "5MiB"
allowed_mime_types = ["image/png", "image/*"]
objects_path = "./buckets/avatars"
[remotes.production]
project_id = "abcdefghijklmnopqrst"
[remotes.production.api]
max_rows = 500
`;

describe("the settings of the Supabase CLI", () => {
  it("are clean as projects usually have them", () => {
    expect(findings(ALONE)).toEqual([]);
  });

  it("are clean as the CLI makes them, and as the project has them", () => {
    const root = project({});
    mkdirSync(join(root, "new"));
    execFileSync(join(import.meta.dirname, "../../../node_modules/.bin/supabase"), ["init"], {
      cwd: join(root, "new"),
      stdio: "ignore",
    });
    expect(findings(readFileSync(join(root, "new/supabase/config.toml"), "utf8"))).toEqual([]);
    expect(findings(readFileSync(join(import.meta.dirname, "../../../supabase/config.toml"), "utf8"))).toEqual([]);
  });

  it.each([
    ['[api]\nschemas = ["public", "auth"]', "2 api.schemas: the REST API exposes a schema that is not for users: auth"],
    ['api.schemas = ["env(SCHEMAS)"]', /^1 api\.schemas: unknown before apply/],
    ['[api]\nextra_search_path = ["private"]', /requests search a schema/],
    ["[api]\nmax_rows = 100000000", /max_rows is 100000000/],
    [
      "[functions.pay]\nverify_jwt = false",
      "2 functions.pay.verify_jwt: the function accepts requests without a token",
    ],
    ['functions = { pay = { verify_jwt = "env(X)" } }', /unknown before apply: the function accepts/],
    ["# declared: short\n[functions.pay]\nverify_jwt = false", /without a token/],
    ["# declared: a reason for all of these functions\n[functions]\npay.verify_jwt = false", /without a token/],
    ['[functions.pay]\nstatic_files = ["../.env"]', /static_files\[0\] is "\.\.\/\.env"/],
    ['[functions.pay]\nentrypoint = "https://example.com/x.ts"', /entrypoint is/],
    ['[storage.buckets.a]\nobjects_path = "../.."', /objects_path is/],
    ["[storage.buckets.a]\nPublic = true", /do not understand storage\.buckets\.a\.Public/],
    [
      '[auth.third_party.auth0]\nenabled = true\ntenant = "evil"',
      /^2 auth\.third_party\.auth0\.enabled: tokens of auth0/,
    ],
    ['[auth.sms.test_otp]\n4152127777 = "123456"', /can sign in with this number/],
    ['[auth]\nsite_url = "http://app.example.com"', /site_url is/],
    ['[auth]\nadditional_redirect_urls = ["https://a.example", "https://**"]', /urls\[1\] is/],
    ['[auth]\nadditional_redirect_urls = ["https://*.vercel.app/**"]', /urls\[0\] is/],
    ["[auth]\nenable_refresh_token_rotation = false", /a refresh token that was stolen/],
    ["[auth]\njwt_expiry = 604800", /jwt_expiry is 604800/],
    ["[auth]\nminimum_password_length = 4", /less than six/],
    ['[auth.hook.send_sms]\nuri = "http://example.com/hook"', /uri is/],
    ['[auth.email.smtp]\npass = "hunter2"', "2 auth.email.smtp.pass: it is a secret in plain text"],
    ['[auth.hook.send_sms]\nsecrets = "v1,whsec_abc"', /plain text/],
    ['[db.vault]\nanything = "a b c"', /^2 db\.vault\.anything: it is a secret/],
    ['[remotes.x.edge_runtime.secrets]\nA = "1"', /^2 remotes\.x\.edge_runtime\.secrets\.A: it is a secret/],
    ['[db.settings]\nsession_replication_role = "replica"', /session_replication_role is/],
    ["[db.migrations]\nenabled = false", /skips the migrations/],
    ["[db.ssl_enforcement]\nenabled = false", /without encryption/],
    ['[db.network_restrictions]\nenabled = true\nallowed_cidrs = ["0.0.0.0/1", "128.0.0.0/1"]', /every address/],
    ['[db.seed]\nsql_paths = ["env(SEED)"]', /not known which SQL files run/],
    ["[surprise]\nopen = true", /do not understand surprise/],
    [
      '[remotes.prod]\nproject_id = "a"\nfunctions.pay.verify_jwt = false',
      /^3 remotes\.prod\.functions\.pay\.verify_jwt:/,
    ],
    ["[api]\nschemas = [", /^1 : it cannot be read|cannot be read/],
  ] as const)("are a finding if they open something: %s", (text, message) => {
    const found = findings(text);
    expect(found.length).toBeGreaterThan(0);
    expect(found[0]).toMatch(message);
  });

  it("are in the report if they are declared, each once, with the reason and the line", () => {
    const remote = "[remotes.production.functions.mail]\nverify_jwt = true\n[remotes.production.api]\nmax_rows = 500";
    const text = ALONE.replace("[remotes.production.api]\nmax_rows = 500", remote);
    const config = readConfig(project({ "config.toml": text }));
    const report = judgeStack([rule("supabase-config")], graph("prod"), {
      ...{ config, alternatives: [], migrations: [], tables: [], policies: [] },
      declarations: [{ table: "public.posts", text: "readable by anyone", commands: ["select"], roles: ["anon"] }],
    } as unknown as Database);
    const at = (setting: string) => ALONE.split("\n").indexOf(setting) + 1;
    const settings = [
      {
        subject: "supabase/config.toml functions.stripe-webhook.verify_jwt",
        text: "the function verifies the signature of Stripe",
        source: { file: "supabase/config.toml", line: at("[functions.stripe-webhook]") + 1 },
      },
      {
        subject: "supabase/config.toml functions.mail.verify_jwt",
        text: "the function takes part in the sign-up of new users",
        source: { file: "supabase/config.toml", line: at("[functions.mail]") + 2 },
      },
    ];
    expect(report.declarations).toEqual([{ subject: "public.posts", text: "readable by anyone" }, ...settings]);
    for (const format of ["text", "markdown"] as const)
      for (const { text: reason, source } of settings)
        expect(renderPlan(planReportOf([report]), format)).toContain(`${reason} (${source.file}:${source.line})`);
  });

  it("never show a secret", () => {
    const config = readConfig(project({ "config.toml": '[auth.email.smtp]\npass = "hunter2"' }));
    const outcome = outcomeIn(rule("supabase-config"), graph("prod"), {
      config,
      alternatives: [],
    } as unknown as Database);
    expect(outcome.findings[0]?.fix).toContain('"env(AUTH_EMAIL_SMTP_PASS)"');
    expect(JSON.stringify(outcome.findings)).not.toContain("hunter2");
  });
});

describe("what the Supabase CLI does after the migrations", () => {
  it("is judged as the migrations are: public buckets, and SQL files", async () => {
    const root = project({
      "prelude.sql": readFileSync(join(import.meta.dirname, "../../../supabase/prelude.sql"), "utf8"),
      "migrations/20260101000000_one.sql": `-- storage.objects: readable by anyone when bucket_id = 'logos'
set lock_timeout = '5s'; create table public.notes (id uuid primary key default gen_random_uuid(), user_id uuid not null references auth.users (id), title text);
alter table public.notes enable row level security; alter table public.notes force row level security;`,
      "config.toml": `[storage.buckets.logos]
public = true
[storage.buckets.photos]
public = true
[storage.buckets."with space"]
public = "env(OPEN)"
[storage.buckets.closed]
public = false
[db.seed]
sql_paths = ["./seed.sql", "./seeds/*.sql"]
[remotes.preview.storage.buckets.closed]
public = true
[remotes.preview.db.seed]
sql_paths = ["./preview/*.sql"]`,
      "seed.sql": `insert into auth.users (instance_id, id, aud, role, email, encrypted_password, email_confirmed_at, raw_app_meta_data, raw_user_meta_data, created_at, updated_at, confirmation_token, email_change, email_change_token_new, recovery_token)
values ('00000000-0000-0000-0000-000000000000', '00000000-0000-4000-8000-000000000001', 'authenticated', 'authenticated', 'a@example.com', crypt('password123', gen_salt('bf')), now(), '{"provider":"email","providers":["email"]}', '{}', now(), now(), '', '', '', '');
insert into auth.identities (id, user_id, provider_id, identity_data, provider, last_sign_in_at, created_at, updated_at)
values (gen_random_uuid(), '00000000-0000-4000-8000-000000000001', '00000000-0000-4000-8000-000000000001', '{"sub":"00000000-0000-4000-8000-000000000001","email":"a@example.com"}', 'email', now(), now(), now());
truncate public.notes cascade;
insert into public.notes (user_id, title) select id, 'first' from auth.users;
delete from public.notes;`,
      "seeds/roles.sql": "alter role authenticated bypassrls;",
      "preview/open.sql": "alter table public.notes disable row level security;",
      "other/unused.sql": "drop table public.notes;",
    });
    const database = await readDatabase(root, { cache: false });
    if (database instanceof Error) throw database;
    const found = (name: string) =>
      outcomeIn(rule(name), graph("prod"), database).findings.map(
        ({ place, message }) =>
          `${place.source?.file ?? ""}:${place.source?.line ?? 0} ${place.object ?? ""}: ${message}`,
      );
    expect(found("storage-public-buckets")).toEqual([
      expect.stringMatching(/^supabase\/config\.toml:4 bucket photos: the Supabase CLI makes it public/),
      expect.stringMatching(/^supabase\/config\.toml:6 bucket with space: /),
      expect.stringMatching(/^supabase\/config\.toml:12 bucket closed: /),
    ]);
    expect(found("migration-applies")).toEqual([]);
    expect(found("migration-destructive")).toEqual([]);
    expect(found("migration-lock-timeouts")).toEqual([]);
    expect(found("rls-enabled")).toEqual([expect.stringContaining("row-level security is off on table public.notes")]);
    expect(found("roles-no-bypass").join()).toContain("authenticated");
  });
});
