import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { apply } from "../../policies/database/apply.ts";
import { BackupQueue } from "../../policies/database/backup-queue.ts";
import { openPglite } from "../../policies/database/postgres.ts";

const SUPABASE = fileURLToPath(new URL("../../supabase/", import.meta.url));

/** The project's migrations and one more; what the queue does not do then. */
async function problemsAfter(text: string): Promise<readonly string[] | undefined> {
  const postgres = await openPglite([]);
  try {
    await postgres.run(readFileSync(`${SUPABASE}prelude.sql`, "utf8"));
    const own = readdirSync(`${SUPABASE}migrations`).sort();
    const files = own.map((file) => ({ file, text: readFileSync(`${SUPABASE}migrations/${file}`, "utf8") }));
    const queue = new BackupQueue(postgres);
    await apply(postgres, [...files, { file: "20990101000000_more.sql", text }], undefined, {
      file: () => queue.declare(),
    });
    await postgres.run("reset role");
    const problems = await queue.problems();
    expect(await postgres.run("select from public.backup_schedules"), "rows of the plan").toEqual([]);
    return problems;
  } finally {
    await postgres.close();
  }
}

it("does all that the runner asks for, as the project's migrations make it", async () => {
  expect(await problemsAfter("select 1")).toEqual([]);
});

it.each([
  ["switches schedules off", "update public.backup_schedules set is_active = false", /switched off/],
  [
    "deletes them by a text that is put together",
    "do $$ begin execute 'delete from public.' || 'backup_schedules'; end $$",
    /gone/,
  ],
  [
    "makes them rare",
    "update public.backup_schedules set cron_expression = '0 0 1 1 *'",
    /cron of a declared schedule/,
  ],
  [
    "replaces the function that enqueues",
    "create or replace function exai.backup_tick() returns setof text language sql as 'select null::text where false'",
    /is not enqueued/,
  ],
  [
    "drops requests by a trigger",
    "create function public.no() returns trigger language plpgsql as 'begin return null; end'; create trigger a before insert on public.backup_history for each row execute function public.no()",
    /not handed out/,
  ],
  [
    "takes a privilege from the runner",
    "revoke execute on function exai.backup_claim() from exai_backup",
    /cannot be claimed/,
  ],
  [
    "lets every backup expire",
    "create or replace function exai.backup_expirable() returns table (id uuid, label text) language sql stable set search_path = '' as 'select id, label from public.backup_history'",
    /just made is expired/,
  ],
  ["drops a policy of the runner", "drop policy backup_schedules_runner_select on public.backup_schedules", /gone/],
])("a migration that %s is found", async (_, text, problem) => {
  expect(await problemsAfter(text)).toContainEqual(expect.stringMatching(problem));
});

it("is not asked for in migrations without a queue", async () => {
  const postgres = await openPglite([]);
  const queue = new BackupQueue(postgres);
  await queue.declare();
  expect(await queue.problems()).toBeUndefined();
  await postgres.close();
});
