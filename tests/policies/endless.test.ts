import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { readDatabase } from "../../policies/database/read.ts";

let root: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "exai-endless-"));
  mkdirSync(join(root, "supabase/migrations"), { recursive: true });
});
afterAll(() => {
  rmSync(root, { recursive: true, force: true });
});

it("a reading that is given up ends at once", async () => {
  writeFileSync(join(root, "supabase/migrations/20260101000000_one.sql"), "do $$ begin loop end loop; end $$;");
  const given = new AbortController();
  const reading = readDatabase(root, { cache: false, signal: given.signal });
  setTimeout(() => {
    given.abort();
  }, 1000);
  await expect(reading).resolves.toEqual(new Error("the thread that reads the database exited with code 1"));
});

it.each([
  ["loops", "do $$ begin loop end loop; end $$;"],
  ["waits", "select pg_sleep(100000);"],
  [
    "deletes by a condition that loops",
    "delete from one where (select count(*) from generate_series(1, 1000000000000)) > 0;",
  ],
])("a statement that %s ends the reading, and is named", async (_, statement) => {
  writeFileSync(join(root, "supabase/migrations/20260101000000_one.sql"), "create table one (id int primary key);");
  writeFileSync(join(root, "supabase/migrations/20260102000000_two.sql"), `select 1;\n${statement}`);
  await expect(readDatabase(root, { cache: false, limit: 5000 })).resolves.toEqual(
    new Error("supabase/migrations/20260102000000_two.sql:2 does not end within 5 s: it waits, or loops"),
  );
});
