import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { migrateApply, migratePlan, migrateTest } from "../../../cli/commands/migrate/migrate.ts";
import { exporterQueries } from "../../../components/monitoring/exporter-queries.ts";
import type { UserError } from "../../../contract/errors.ts";
import type { CliEvent } from "../../../cli/events.ts";
import type { PgtapResult } from "../../../operations/migrations/pgtap.ts";
import { docker, tryDocker } from "../../../operations/docker/cli.ts";
import { PROJECT_ROOT } from "../../../operations/images/paths.ts";
import { applyPrelude } from "../../../operations/migrations/prelude.ts";
import { applyMigrations, migrationStatus } from "../../../operations/migrations/apply.ts";
import { migrationFiles } from "../../../contract/sql/files.ts";
import { supabase } from "../../../operations/migrations/supabase.ts";
import { databaseUrl } from "../../../operations/migrations/url.ts";
import { healthy, startPostgresStack, type PostgresStack } from "../../support/postgres-stack.ts";
import { runOperation, runVerb as run } from "../../support/verbs.ts";
import { parse } from "yaml";

// cspell:ignore bname defaclacl

let stack: PostgresStack;
const count = migrationFiles(PROJECT_ROOT).length;
const USER = "00000000-0000-4000-8000-000000000001";

beforeAll(async () => {
  stack = await startPostgresStack();
});
afterAll(async () => {
  await stack.down();
});

const details = (events: readonly CliEvent[], status: string) =>
  events.flatMap((event) => (event.type === "step" && event.status === status ? [event.detail] : []));

describe("the container", () => {
  it("runs unprivileged, on a root file system that it cannot write", async () => {
    expect(await docker(["exec", stack.postgres, "id", "-u"])).toBe("10999\n");
    const written = await tryDocker(["exec", stack.postgres, "touch", "/etc/written"]);
    expect(written.stderr).toContain("Read-only file system");
    expect(await docker(["exec", stack.postgres, "grep", "CapEff", "/proc/self/status"])).toMatch(/0{16}/);
  });

  it("refuses TCP connections without the password and from other networks", async () => {
    const attempt = new pg.Client({ connectionString: stack.url.replace(stack.password, "wrong") });
    await expect(attempt.connect()).rejects.toThrow(/password authentication failed/);
    expect(await stack.sql("select distinct auth_method from pg_hba_file_rules where type = 'host'")).toBe(
      "scram-sha-256\n",
    );
    expect(await stack.sql("select distinct address from pg_hba_file_rules where type = 'host' order by 1")).toBe(
      "127.0.0.1\n::1\nsamenet\n",
    );
  });
});

describe("migrations", () => {
  it("are planned, applied once, and not applied a second time", async () => {
    const plan = await run(migratePlan(stack.url));
    expect(plan.text).toContain(`${count} of ${count} migrations pending\n`);

    const first = await run(migrateApply(stack.url));
    expect(first.code).toBe(0);
    expect(details(first.events, "progress")).toEqual(migrationFiles(PROJECT_ROOT).map((file) => file.file));
    const second = await run(migrateApply(stack.url));
    expect(details(second.events, "unchanged")).toEqual([`nothing to apply, ${count} applied`]);
    expect(second.events.at(-1)).toMatchObject({ data: { applied: [] } });
  });

  it("are applied according to the Supabase CLI too", async () => {
    const listed = await supabase(["migration", "list"], databaseUrl(stack.url), { root: PROJECT_ROOT });
    const states = listed.migrations as { local: string; remote: string }[];
    expect(states).toHaveLength(count);
    for (const { local, remote } of states) expect(remote).toBe(local);
    expect((await migrationStatus(stack.url)).every((migration) => migration.applied)).toBe(true);
  });

  describe("on a volume that is older than the prelude", () => {
    const WEBHOOK = "supabase_functions.http_request()";
    // Migrations have restricted what the prelude grants, and a database has data.
    const kept = `select count(*) from auth.users;
      select defaclobjtype, defaclacl from pg_default_acl order by 1;
      select has_table_privilege('anon', 'storage.objects', 'insert')`;
    const prelude = () => runOperation(applyPrelude(stack.url));
    beforeAll(async () => {
      await stack.sql(`insert into auth.users (id) values ('${USER}'); revoke all on storage.objects from anon;
        drop schema supabase_functions cascade; drop table auth.mfa_factors; drop index storage.bname`);
    });
    afterAll(async () => {
      await stack.sql(`delete from auth.users; grant all on storage.objects to anon`);
    });

    it("find what the prelude has gained, with its privileges, and leave the rest unchanged", async () => {
      const before = await stack.sql(kept);
      expect(before).toMatch(/^1\n/);
      expect(before).not.toContain("anon=");
      expect((await prelude()).events).toEqual([]);
      expect(await stack.sql(kept)).toBe(before);
      const can = (role: string) => `has_function_privilege('${role}', '${WEBHOOK}', 'execute')`;
      expect(await stack.sql(`select ${can("anon")}, ${can("exai_monitor")}`)).toBe("t|f\n");
      expect(await stack.sql("select relrowsecurity from pg_class where oid = 'auth.mfa_factors'::regclass")).toBe(
        "t\n",
      );
      expect(await stack.sql("select to_regclass('storage.bname') is not null")).toBe("t\n");
    });

    it("are not touched by the same prelude a second time", async () => {
      const version = `select xmin from pg_proc where oid = '${WEBHOOK}'::regprocedure`;
      const before = await stack.sql(version);
      await prelude();
      expect(await stack.sql(version)).toBe(before);
    });

    it("are not given a part of it if a migration has made something else of a name, and a note says so", async () => {
      await stack.sql(`alter database postgres reset exai.prelude; drop schema supabase_functions cascade;
        create schema supabase_functions; create function ${WEBHOOK} returns integer return 1; drop table auth.mfa_factors`);
      const { events } = await prelude();
      expect(events).toMatchObject([
        {
          type: "note",
          level: "warning",
          message: expect.stringMatching(/line \d+: cannot change return type/) as string,
        },
      ]);
      expect(await stack.sql("select to_regclass('auth.mfa_factors') is null")).toBe("t\n");
      await stack.sql("drop schema supabase_functions cascade");
      expect((await prelude()).events).toEqual([]);
      expect(await stack.sql("select to_regclass('auth.mfa_factors') is null")).toBe("f\n");
    });
  });

  describe("of another project", () => {
    let root: string;
    beforeAll(() => {
      root = mkdtempSync(join(tmpdir(), "exai-bad-migration-"));
      mkdirSync(join(root, "supabase"));
      cpSync(join(PROJECT_ROOT, "supabase/migrations"), join(root, "supabase/migrations"), { recursive: true });
    });
    afterAll(() => {
      rmSync(root, { recursive: true });
    });
    const failure = async (): Promise<UserError> => {
      try {
        await runOperation(applyMigrations(stack.url, { root }));
      } catch (error) {
        return error as UserError;
      }
      throw new Error("it was applied");
    };

    it("fail with the file and PostgreSQL's error, and leave nothing behind", async () => {
      const sql = "create table public.half (id integer primary key);\ncreate table public.other (id nosuchtype);\n";
      writeFileSync(join(root, "supabase/migrations/20991231235959_bad.sql"), sql);
      const error = await failure();
      expect(error.where).toBe("supabase/migrations/20991231235959_bad.sql");
      expect(error.message).toContain('type "nosuchtype" does not exist');
      expect(error.message).toContain("statement 2");
      expect(error.render()).not.toContain(stack.password);
      expect(await stack.sql("select to_regclass('public.half') is null")).toBe("t\n");
      rmSync(join(root, "supabase/migrations/20991231235959_bad.sql"));
    });

    it("are not applied after Ctrl-C ended the command while they waited for a lock", async () => {
      const file = join(root, "supabase/migrations/20991231235959_waits.sql");
      writeFileSync(file, "alter table public.backup_history add column added_later integer;\n");
      const holder = new pg.Client({ connectionString: stack.url });
      await holder.connect();
      await holder.query("begin; lock table public.backup_history in access exclusive mode");
      const stop = new AbortController();
      const applying = runOperation(applyMigrations(stack.url, { root, signal: stop.signal }));
      applying.catch(() => undefined);
      const waiting = "select count(*) from pg_stat_activity where application_name = '@effect/sql-pg'";
      await expect.poll(() => stack.sql(`${waiting} and wait_event_type = 'Lock'`), { timeout: 60_000 }).toBe("1\n");
      stop.abort(new Error("Ctrl-C"));
      await expect(applying).rejects.toMatchObject({
        name: "Interrupted",
        message: "PostgreSQL has ended the statement; applied by this run: none",
      });
      expect(await stack.sql(waiting)).toBe("0\n");
      await holder.query("commit");
      await holder.end();
      expect((await migrationStatus(stack.url, { root })).at(-1)).toMatchObject({ name: "waits", applied: false });
      const added = "select count(*) from information_schema.columns where column_name = 'added_later'";
      expect(await stack.sql(added)).toBe("0\n");
      rmSync(file);
    });

    it("name who blocks them, let others write, and are applied when the lock is free", async () => {
      const file = join(root, "supabase/migrations/20991231235958_blocked.sql");
      writeFileSync(file, "alter table public.backup_history add column added_later integer;\n");
      const holder = new pg.Client({ connectionString: stack.url, application_name: "long report" });
      await holder.connect();
      await holder.query("begin; lock table public.backup_history in share mode");
      const locks = { timeoutSeconds: 1, deadlineSeconds: 0 };
      await expect(runOperation(applyMigrations(stack.url, { root, locks }))).rejects.toMatchObject({
        code: "lock-held",
        where: "supabase/migrations/20991231235958_blocked.sql",
        message: expect.stringMatching(
          /got no lock in 1 try of 1 s.*\(postgres, long report; idle in transaction since .*\) locks public\.backup_history: begin; lock/,
        ) as string,
      });
      const applying = applyMigrations(stack.url, { root, locks: { timeoutSeconds: 1, deadlineSeconds: 120 } });
      const details: string[] = [];
      for await (const event of applying) {
        if (event.type !== "step") continue;
        details.push(event.detail ?? "");
        // The holder commits only after the first try was refused.
        if (event.detail?.includes("no lock, try 2") === true) await holder.query("commit");
      }
      await holder.end();
      expect(details.at(-1)).toBe("1 applied");
      await stack.sql("alter table public.backup_history drop column added_later");
      await stack.sql("delete from supabase_migrations.schema_migrations where version = '20991231235958'");
      rmSync(file);
    });

    it("are refused if the database is ahead of the files", async () => {
      const last = migrationFiles(root).at(-1);
      rmSync(join(root, "supabase/migrations", last?.file ?? ""));
      const error = await failure();
      expect(error.message).toContain(`does not have: ${last?.version ?? ""}`);
    });
  });

  describe("whose files are not as the database has them", () => {
    let root: string;
    let url: string;
    const file = (name: string) => join(root, "supabase/migrations", name);
    const applied = () => migrationStatus(url, { root });

    beforeAll(async () => {
      root = mkdtempSync(join(tmpdir(), "exai-order-"));
      mkdirSync(join(root, "supabase/migrations"), { recursive: true });
      await stack.sql("create database ordered");
      url = stack.url.replace("/postgres?", "/ordered?");
      writeFileSync(
        file("20260101000000_one.sql"),
        "-- The first.\ncreate table one (a text default ';');\n\ncreate function two() returns text language sql as $$ select 'b;' $$;\n-- End.\n",
      );
      writeFileSync(file("20260103000000_three.sql"), "create table three (a integer);\n");
      expect((await run(migrateApply(url, { root }))).code).toBe(0);
    });
    afterAll(() => {
      rmSync(root, { recursive: true });
    });

    it("are none right after they were applied", async () => {
      expect((await applied()).map(({ edited }) => edited)).toEqual([false, false]);
      expect((await run(migratePlan(url, { root }))).code).toBe(0);
    });

    it("are refused if a pending one is older than an applied one, unless that is requested", async () => {
      writeFileSync(file("20260102000000_two.sql"), "create table two (a integer);\n");
      const plan = await run(migratePlan(url, { root }));
      expect(plan.text).toMatch(/20260102000000 +two +expand +pending, out of order/);
      expect(plan.text).not.toContain("next: ");
      await expect(run(migrateApply(url, { root }))).rejects.toMatchObject({
        exitCode: 3,
        message: expect.stringContaining("20260102000000_two is older than 20260103000000") as string,
      });
      expect((await applied()).map((each) => each.applied)).toEqual([true, false, true]);
      expect((await run(migrateApply(url, { root, outOfOrder: true }))).code).toBe(0);
      expect((await applied()).every((each) => each.applied && !each.edited)).toBe(true);
    });

    it("are a finding if the file of an applied one was changed, and nothing later is applied", async () => {
      writeFileSync(file("20260103000000_three.sql"), "create table three (a bigint);\n");
      const plan = await run(migratePlan(url, { root }));
      expect(plan.code).toBe(1);
      expect(plan.text).toMatch(/20260103000000 +three +expand +applied, changed since/);
      expect(plan.text).toContain("git log -p -- supabase/migrations/20260103000000_three.sql");
      expect((await run(migrateApply(url, { root }))).text).toContain(
        "20260103000000_three was changed after it was applied",
      );
      writeFileSync(file("20260104000000_four.sql"), "create table four (a integer);\n");
      await expect(run(migrateApply(url, { root, outOfOrder: true }))).rejects.toMatchObject({ exitCode: 3 });
      expect((await applied()).at(-1)?.applied).toBe(false);
    });

    it("are accepted after the repair that the message names", async () => {
      await supabase(["migration", "repair", "--status", "applied", "20260103000000"], databaseUrl(url), { root });
      expect((await run(migrateApply(url, { root }))).code).toBe(0);
      expect((await run(migratePlan(url, { root }))).code).toBe(0);
    });
  });

  it("report the database without its password if it is unreachable", async () => {
    const unreachable = stack.url.replace(`:${stack.port}/`, ":1/");
    await expect(migrationStatus(unreachable)).rejects.toThrow(/cannot be read: .*ECONNREFUSED/);
    await expect(migrationStatus(unreachable)).rejects.not.toThrow(stack.password);
  });
});

describe("pgTAP", () => {
  it("passes on the migrations", async () => {
    const { code, events } = await run(migrateTest(stack.url));
    expect(code).toBe(0);
    const { data } = events.at(-1) as { data: PgtapResult };
    expect(data.files.flatMap(({ failures }) => failures)).toEqual([]);
    expect(data.passed).toBeGreaterThan(1900);
    expect(await stack.sql("select count(*) from auth.users")).toBe("0\n");
  });

  /** Each opens one hole, and the tests that must detect it: no other may fail. */
  const HOLES: readonly (readonly [hole: string, sql: string, detectedBy: readonly string[]])[] = [
    [
      "a table that is not forced",
      "alter table public.messages no force row level security",
      ["row level security is forced on messages"],
    ],
    [
      "a policy that is always true",
      "create policy hole on public.files for select to authenticated using (true)",
      [
        "no policy is always true",
        "a user sees the own row of files",
        "a user sees no rows of other users in files",
        "user, select of files: another user's row",
      ],
    ],
    [
      "a grant to anon",
      "grant select on public.sessions to anon",
      [
        "select of sessions by anon",
        "anon reads nothing of sessions",
        "anon, select of sessions: the own row",
        "anon, select of sessions: another user's row",
      ],
    ],
    [
      "a function with the rights of its owner",
      "alter function exai.touch_updated_at() security definer",
      ["no function runs with its owner's rights, except the one that counts connections"],
    ],
    [
      "a foreign key without its index",
      "drop index public.messages_conversation_idx",
      ["every foreign key leads an index"],
    ],
    [
      "users among the operators",
      "grant select on public.production_metrics to authenticated",
      ["select of production_metrics by authenticated", "users read nothing of production_metrics"],
    ],
    [
      "rows whose owner can change",
      "grant update on public.conversations to authenticated; alter policy conversations_owner_update on public.conversations with check (user_id is not null)",
      ["a user gives away no row of conversations"],
    ],
    [
      "users who write answers",
      "alter policy messages_owner_insert on public.messages with check ((select auth.uid()) = user_id)",
      [
        "a user writes no message as system",
        "a user writes no message as assistant",
        "a user writes no message as tool",
      ],
    ],
    [
      "an upload that its file takes away",
      "grant delete on public.provider_file_uploads to authenticated; create policy hole on public.provider_file_uploads for delete to authenticated using ((select auth.uid()) = user_id)",
      [
        "delete of provider_file_uploads by authenticated",
        "a user deletes the own row of provider_file_uploads alone, unless it is the service's",
        "user, delete of provider_file_uploads: the own row",
        "user, delete of provider_file_uploads: another user's row",
      ],
    ],
    [
      "a server that reads the uploads of all users",
      "alter policy uploads_server_select on public.uploads using ((select exai.caller()) is not null)",
      ["server, select of uploads: another user's row"],
    ],
    [
      "an audit log that can be rewritten",
      "grant update on public.audit_log to service_role",
      ["update of audit_log by service_role"],
    ],
    [
      "a text without a limit",
      "alter table public.messages drop constraint messages_content_size",
      ["every text that users write has a limit"],
    ],
    [
      "a runner that may rewrite finished backups",
      "alter policy backup_history_runner_insert on public.backup_history with check (kind is not null)",
      ["the runner invents no finished backup"],
    ],
  ];

  it("detects each of 13 holes, by name", async () => {
    const url = stack.url.replace("/postgres?", "/mutant?");
    await stack.sql("create database mutant");
    await stack.sql(readFileSync(join(PROJECT_ROOT, "supabase/prelude.sql"), "utf8"), "mutant");
    await runOperation(applyMigrations(url));
    for (const [, sql] of HOLES) await stack.sql(sql, "mutant");
    const { code, events } = await run(migrateTest(url));
    expect(code).toBe(1);
    const { files } = (events.at(-1) as { data: PgtapResult }).data;
    const failed = files.flatMap(({ failures }) => failures.map(({ title }) => title));
    expect(failed.toSorted()).toEqual(HOLES.flatMap(([, , detectedBy]) => detectedBy).toSorted());
  });
});

describe("the exporter's queries", () => {
  it("are readable for exai_monitor, which reads nothing else", async () => {
    const client = new pg.Client({
      connectionString: `postgres://exai_monitor:${stack.monitorPassword}@127.0.0.1:${stack.port}/postgres?sslmode=disable`,
    });
    await client.connect();
    try {
      await stack.sql("select exai.backup_declare('probe', 'full', 'daily', '0 2 * * *', 'UTC', 7)");
      await stack.sql("select exai.drill_declare('probe', '0 4 1 * *', 'UTC', 50)");
      await stack.sql(`insert into auth.users (id) values ('${USER}');
        insert into public.provider_usage (user_id, provider, model, outcome, duration_ms) values ('${USER}', 'kimi', 'k2', 'ok', 900);
        insert into public.tool_calls (user_id, tool, outcome, duration_ms) select '${USER}', 'tool-' || n, 'ok', n from generate_series(1, 60) as n;
        insert into public.mcp_sessions (user_id, mcp_session_id, slot) values ('${USER}', 'probe', 'blue');
        insert into public.production_incidents (title, severity) values ('probe', 'low');
        insert into public.deployments (release, version, slot, host) values ('probe', '1.0.0', 'blue', 'probe')`);
      const queries = parse(exporterQueries()) as Record<string, { query: string; metrics: Record<string, unknown>[] }>;
      for (const { query, metrics } of Object.values(queries)) {
        const { rows } = await client.query<Record<string, unknown>>(query);
        expect(rows.length, query).toBeGreaterThan(0);
        expect(rows.length, query).toBeLessThanOrEqual(50);
        const columns = metrics.flatMap((metric) => Object.keys(metric));
        expect(Object.keys(rows[0] ?? {}).sort()).toEqual(columns.sort());
      }
      await expect(client.query("select * from public.messages")).rejects.toThrow(/permission denied/);
      await stack.sql("select 'a secret of another user'");
      const { rows } = await client.query(
        "select query from pg_stat_activity where query like '%secret of%' and usename <> current_user",
      );
      expect(rows).toEqual([]);
    } finally {
      await client.end();
    }
  });
});

describe("a restart", () => {
  it("is quick although clients stay connected, and keeps the data", async () => {
    const idle = new pg.Client({ connectionString: stack.url });
    idle.on("error", () => undefined);
    await idle.connect();
    const begun = Date.now();
    await docker(["stop", "--time", "20", stack.postgres]);
    expect(Date.now() - begun).toBeLessThan(19_000);
    expect(await docker(["inspect", "--format", "{{.State.ExitCode}}", stack.postgres])).toBe("0\n");
    await docker(["start", stack.postgres]);
    await healthy(stack.postgres);
    expect((await migrationStatus(stack.url)).every((migration) => migration.applied)).toBe(true);
  });
});
