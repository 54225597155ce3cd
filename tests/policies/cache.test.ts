import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readDatabase } from "../../policies/database/read.ts";

describe("the cache of the facts about the database", () => {
  let root: string;
  beforeAll(() => {
    root = mkdtempSync(join(tmpdir(), "exai-cache-"));
    mkdirSync(join(root, "supabase/migrations"), { recursive: true });
    writeFileSync(join(root, "supabase/migrations/20260101000000_one.sql"), "create table one (id int primary key);");
  });
  afterAll(() => {
    rmSync(root, { recursive: true, force: true });
  });
  const facts = (cache: string) => readDatabase(root, { cache });

  it("changes no result if it cannot be written", async () => {
    // No process may make a name below /proc, root included.
    expect(await facts("/proc/no-such-folder")).toMatchObject({ cached: false, migrations: [/one\.sql/] });
  });

  it("changes no result if an entry cannot be read", async () => {
    const cache = join(root, "cache");
    expect(await facts(cache)).toMatchObject({ cached: false });
    const [entry = ""] = readdirSync(cache);
    rmSync(join(cache, entry));
    mkdirSync(join(cache, entry, "below"), { recursive: true });
    expect(await facts(cache)).toMatchObject({ cached: false, migrations: [/one\.sql/] });
    expect(readdirSync(cache)).toEqual([entry]);
  });
});
