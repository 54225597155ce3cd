import { PGlite } from "@electric-sql/pglite";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { migrationFiles } from "../../contract/sql/files.ts";

const ROOT = join(import.meta.dirname, "../..");

/** The policy rules judge the migrations on this engine, so they have to apply there as they do on a server. */
describe("the migrations on PGlite", () => {
  let db: PGlite;
  beforeAll(async () => {
    db = new PGlite();
    const prelude = readFileSync(join(ROOT, "supabase/prelude.sql"), "utf8");
    await db.exec(prelude);
    await db.exec(prelude);
    for (const migration of migrationFiles(ROOT)) await db.exec(migration.sql);
  });
  afterAll(async () => {
    await db.close();
  });

  it("enable and force row level security on all tables", async () => {
    const { rows } = await db.query<{ total: number; closed: number }>(
      `select count(*)::int as total, count(*) filter (where relrowsecurity and relforcerowsecurity)::int as closed
       from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r'`,
    );
    expect(rows).toEqual([{ total: 32, closed: 32 }]);
  });

  it("show each user only their own rows", async () => {
    const [alice, bob] = ["00000000-0000-4000-8000-00000000000a", "00000000-0000-4000-8000-00000000000b"];
    await db.query("insert into auth.users (id) values ($1), ($2)", [alice, bob]);
    await db.query("insert into public.conversations (user_id, title) values ($1, 'a'), ($2, 'b')", [alice, bob]);
    const seen = await db.transaction(async (tx) => {
      await tx.query("select set_config('request.jwt.claims', $1, true)", [
        JSON.stringify({ sub: alice, role: "authenticated" }),
      ]);
      await tx.exec("set local role authenticated");
      return (await tx.query<{ title: string }>("select title from public.conversations")).rows;
    });
    expect(seen).toEqual([{ title: "a" }]);
  });

  describe("the queue of backups", () => {
    const history = async () =>
      (
        await db.query<{ kind: string; trigger: string; status: string }>(
          "select kind, trigger, status from public.backup_history order by requested_at",
        )
      ).rows;
    /** Runs SQL as the backup runner does. */
    const asRunner = async (sql: string) => {
      await db.exec("set role exai_backup");
      try {
        return await db.query(sql);
      } finally {
        await db.exec("reset role");
      }
    };

    it("enqueues a due backup once", async () => {
      await asRunner("select exai.backup_declare('hourly', 'incremental', 'hourly', '0 * * * *', 'UTC', 7)");
      await db.exec("update public.backup_schedules set checked_at = now() - interval '61 minutes'");
      expect((await asRunner("select exai.backup_tick() as name")).rows).toEqual([{ name: "hourly" }]);
      expect((await asRunner("select exai.backup_tick() as name")).rows).toEqual([]);
      expect(await history()).toEqual([{ kind: "incremental", trigger: "schedule", status: "pending" }]);
    });

    it("does not accumulate requests that no runner takes", async () => {
      await db.exec("update public.backup_schedules set checked_at = now() - interval '61 minutes'");
      await asRunner("select exai.backup_tick()");
      expect(await history()).toHaveLength(1);
    });

    it("assigns a request to one runner and records its outcome", async () => {
      const { rows } = await asRunner("select id from exai.backup_claim()");
      expect(rows).toHaveLength(1);
      expect((await asRunner("select id from exai.backup_claim()")).rows).toEqual([]);
      const { id } = rows[0] as { id: string };
      await asRunner(`select exai.backup_fail('${id}', 'no space')`);
      expect(await history()).toEqual([{ kind: "incremental", trigger: "schedule", status: "failed" }]);
    });

    it("expires backups by their retention, except those that a newer backup needs", async () => {
      await db.exec(`
        delete from public.backup_history;
        insert into public.backup_history (kind, status, retention_days, started_at, finished_at, label, size_bytes)
        select case right(label, 1) when 'F' then 'full' when 'D' then 'differential' else 'incremental' end, 'completed',
               case right(label, 1) when 'F' then 30 when 'D' then 90 else 7 end,
               now() - days * interval '1 day', now() - days * interval '1 day', label, 1
        from (values
          ('20260101-020000F', 95), ('20260101-020000F_20260101-030000D', 94.9), ('20260101-020000F_20260101-040000I', 94.8),
          ('20260102-020000F', 60), ('20260102-020000F_20260102-030000D', 59.9), ('20260102-020000F_20260102-040000I', 59.8),
          ('20260103-020000F', 40), ('20260103-020000F_20260103-040000I', 39.9),
          ('20260104-020000F', 8), ('20260104-020000F_20260104-030000I', 7.5), ('20260104-020000F_20260104-040000I', 6.5)
        ) as v(label, days)`);
      const { rows } = await asRunner("select label from exai.backup_expirable()");
      expect(rows.map((row) => (row as { label: string }).label)).toEqual([
        "20260103-020000F_20260103-040000I",
        "20260103-020000F", // over, and nothing hangs on it any more
        "20260102-020000F_20260102-040000I", // its full backup and the weekly one stay: that is kept for 90 days
        "20260101-020000F_20260101-040000I",
        "20260101-020000F_20260101-030000D",
        "20260101-020000F",
        // Of 4 January nothing: the later incremental backup needs the earlier one, and the full one is the newest.
      ]);
    });
  });
});
